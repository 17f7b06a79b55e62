"""``manage.py evaluate_thresholds``: evaluate every threshold, once or repeatedly."""

import json
import logging
import signal
import threading
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError, connection

from metrics import durations, flag, instruments
from metrics.decisions.limits_file import LimitsError
from metrics.evaluation import evaluator
from metrics.models import ModeState

TIDY_SECONDS = 900.0

logger = logging.getLogger("spms.evaluator")


class Command(BaseCommand):
    """Evaluates the thresholds and sets the mode; of several evaluators, one works at a time."""

    help = "Evaluate the thresholds once and print them, or repeatedly until SIGTERM."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.epilog = (
            "Examples: manage.py evaluate_thresholds --json; manage.py evaluate_thresholds --every 15s"
        )
        parser.add_argument("--every", help="evaluate repeatedly, at this interval, such as 15s")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Evaluate once, or until SIGTERM or SIGINT."""
        if options["every"] is None:
            try:
                evaluator.tick(evaluator.source())
            except LimitsError as error:
                raise CommandError(str(error)) from error
            self._print(as_json=options["json"])
            return
        seconds = durations.duration_seconds(options["every"])
        if seconds is None or seconds < 1:
            raise CommandError(f"--every {options['every']}: expected a duration of at least 1s, such as 15s")
        self._go_on(seconds, as_json=options["json"])

    def _go_on(self, seconds: float, *, as_json: bool) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        read_from, tidied_at = evaluator.source(), float("-inf")
        while not stop.is_set():
            begun = time.monotonic()
            try:
                if evaluator.tick(read_from) and as_json:
                    self._print(as_json=True)
                if begun - tidied_at > TIDY_SECONDS:
                    evaluator.prune(evaluator.clock())
                    tidied_at = begun
            except LimitsError as error:
                raise CommandError(str(error)) from error
            except (DatabaseError, InterfaceError, OSError) as error:
                logger.warning("the evaluation failed, so the mode does not change: %s", str(error).strip())
                with instruments.suppress_metric_errors():
                    instruments.EVALUATIONS.labels("failed").inc()
                connection.close()
            stop.wait(max(0.0, seconds - (time.monotonic() - begun)))

    def _print(self, *, as_json: bool) -> None:
        state = ModeState.objects.get(pk=1)
        now = flag.from_state(state)
        if as_json:
            answer = {
                "evaluated_at": state.evaluated_at.isoformat() if state.evaluated_at else None,
                "mode": now.effective,
                "setting": now.setting,
                "reason": now.reason,
                "alarm": state.alarm,
                "limits_error": state.limits_error,
                **state.report,
            }
            self.stdout.write(json.dumps(answer))
            return
        self.stdout.write(f"{now.effective} (setting {now.setting}): {now.reason}")
        for entry in state.report.get("thresholds", []):
            self.stdout.write(
                f"{entry['state']:9} {entry['name']:24} {entry['shown']:>12}  {entry['reason']}"
            )
