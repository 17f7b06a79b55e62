"""``manage.py mode``: show the mode, or override it."""

import getpass
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from metrics import durations, flag
from metrics.models import ModeState

MEANINGS = {
    "inline": "PDFs are rendered inline: each request renders its PDF and answers with it.",
    "queue": "PDFs go to the queue: requests are answered at once, and workers render.",
}


def sentence(now: flag.Flag) -> str:
    """Return what the mode in force means, who chose it, until when, and the evidence."""
    since = f"{timezone.localtime(now.since):%Y-%m-%d %H:%M}"
    if now.expires_at:
        end = f"{timezone.localtime(now.expires_at):%Y-%m-%d %H:%M}"
        chosen = f"Set by hand on {since} until {end}; `spms mode auto` ends it."
    elif now.setting == "auto":
        chosen = f"The limits of thresholds.yaml decide this (SPMS_MODE is auto), and did so last on {since}."
    else:
        return (
            f"{MEANINGS[now.effective]} The setting SPMS_MODE={now.setting} says so, and no limit changes it."
        )
    return f"{MEANINGS[now.effective]} {chosen} The reason: {now.reason}."


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
        self.stdout.write(sentence(now))

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
