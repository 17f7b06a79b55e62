"""``manage.py mode``: show the mode, or override it."""

import getpass
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from metrics import durations, flag
from metrics.models import ModeState


class Command(BaseCommand):
    """Prints the mode, or overrides it with a reason until a time."""

    help = (
        "Show the mode, or override it: mode queue --for 2h --reason 'deadline'. mode auto ends the override."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.epilog = (
            'Examples: manage.py mode; manage.py mode queue --for 2h --reason "deadline"; manage.py mode auto'
        )
        parser.add_argument("setting", nargs="?", choices=("auto", "inline", "queue"))
        parser.add_argument("--for", dest="duration", default="4h", help="how long, such as 2h (default 4h)")
        parser.add_argument("--reason", default="", help="why; the dashboard and the audit trail show it")

    def handle(self, *args: Any, **options: Any) -> None:
        """Override the mode if asked to, and print it."""
        if options["setting"] is not None:
            self._choose(options["setting"], options["duration"], options["reason"].strip())
        now = flag.from_state(ModeState.objects.filter(pk=1).first() or ModeState())
        until = f", until {timezone.localtime(now.expires_at):%Y-%m-%d %H:%M}" if now.expires_at else ""
        self.stdout.write(f"{now.effective} (setting {now.setting}{until}): {now.reason}")

    def _choose(self, setting: flag.Setting, duration: str, reason: str) -> None:
        by = f"{getpass.getuser()} (command)"
        if setting == "auto" and not reason:
            flag.end_override(by=by, reason="returned to SPMS_MODE by command")
            return
        if not reason:
            raise CommandError("give the reason with --reason: the dashboard and the audit trail show it")
        seconds = durations.duration_seconds(duration)
        if seconds is None or seconds > flag.MAX_OVERRIDE.total_seconds():
            raise CommandError(f"--for {duration}: expected a duration up to 7d, such as 30m or 2h")
        until = timezone.now() + timedelta(seconds=seconds)
        flag.override(setting, by=by, reason=reason[:300], until=until)
