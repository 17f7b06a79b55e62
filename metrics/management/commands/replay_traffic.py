"""``manage.py replay_traffic TRACE.csv``: show what the switch would do on a recorded day."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from metrics import progress
from metrics.decisions import prerender_model, replay
from metrics.decisions.limits_file import LimitsError, load


class Command(BaseCommand):
    """Serves a trace in simulated time, with the real evaluation and the real limits."""

    help = "Replay a trace (columns arrived_at in seconds, kind = pdf or request, service_seconds)."
    requires_system_checks: list[str] = []  # noqa: RUF012 (Django's own declaration)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.epilog = "Examples: manage.py replay_traffic day.csv; manage.py replay_traffic day.csv --json"
        parser.add_argument("trace", type=Path)
        parser.add_argument("--thresholds", type=Path, help="another limits file")
        parser.add_argument("--web-threads", type=int, default=settings.SPMS_WEB_THREADS)
        parser.add_argument("--queue-workers", type=int, default=settings.SPMS_QUEUE_WORKERS)
        parser.add_argument(
            "--render-slots",
            type=int,
            help="PDFs rendered at once, by requests and workers together (default: workers have a machine)",
        )
        parser.add_argument(
            "--prerender",
            action="store_true",
            help="make PDFs ahead; the trace needs a column changed_at: when the document was last changed",
        )
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Replay the trace and print the results."""
        if options["web_threads"] < 1 or options["queue_workers"] < 0 or (options["render_slots"] or 1) < 1:
            raise CommandError(
                "expected at least one web thread and render slot, and 0 or more queue workers"
            )
        site = replay.Site(
            web_threads=options["web_threads"],
            queue_workers=options["queue_workers"],
            inline_slots=min(settings.SPMS_INLINE_SLOTS, max(1, options["web_threads"] // 2)),
            deadline_seconds=settings.SPMS_INLINE_DEADLINE,
            render_slots=options["render_slots"],
        )
        try:
            limits = load(options["thresholds"] or Path(settings.SPMS_THRESHOLDS))
            work, ahead = replay.read_trace(options["trace"]), None
            if options["prerender"]:
                slots = site.render_slots or settings.SPMS_RENDER_SLOTS
                requests = prerender_model.read_changes(options["trace"])
                ahead = prerender_model.make_ahead(work, requests, slots=slots)
            with progress.shown() as report:
                day = replay.replay(ahead.work if ahead else work, limits, site, report)
        except (LimitsError, replay.TraceError) as error:
            raise CommandError(str(error)) from error
        figures = {
            "switches": day.switches,
            "p95_seconds": round(day.p95_seconds, 3),
            "p99_seconds": round(day.p99_seconds, 3),
            "timeouts": day.timeouts,
            "queue_hours": round(day.queue_hours, 3),
            "needless_queue_hours": round(day.needless_queue_hours, 3),
            "requests": day.requests,
        }
        if ahead:
            figures |= {"pdfs_ready": ahead.ready, "prerenders_that_gave_way": ahead.gave_way}
        if options["json"]:
            self.stdout.write(json.dumps(figures))
            return
        for name, figure in figures.items():
            self.stdout.write(f"{name:22} {figure}")
        for at, mode, reason in day.changes:
            self.stdout.write(f"{at:10.0f} s  {mode:7} {reason}")
