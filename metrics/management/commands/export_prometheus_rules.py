"""``manage.py export_prometheus_rules``: print the limits as alert rules for Prometheus."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from metrics.decisions.limits_file import LimitsError, load
from metrics.prometheus import alert_rules


class Command(BaseCommand):
    """Prints a rules file."""

    help = "Print thresholds.yaml as Prometheus rules"
    requires_system_checks: list[str] = []  # noqa: RUF012 (Django's own declaration)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare no options, only an example."""
        parser.epilog = "Example: manage.py export_prometheus_rules > rules.yml"

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the rules."""
        try:
            limits = load(Path(settings.SPMS_THRESHOLDS))
        except LimitsError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(alert_rules.build_rules(limits, settings.SPMS_URL), ending="")
