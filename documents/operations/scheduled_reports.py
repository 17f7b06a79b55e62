"""Begin the scheduled reports that are due, once however many clusters ask, and subscribe their receivers."""

import logging
from dataclasses import replace
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from documents import exceptions
from documents.content import blocks, editions
from documents.models import ScheduledReport, Task
from documents.operations import cron
from documents.queue import hints, lifecycle
from documents.queue.requests import TaskRequest
from documents.tasks.exports import spec, task as export_task
from documents.tasks.notifications import task as notification_task
from documents.tasks.pdf import task as pdf_task

# A report that begins later than this was missed: no cluster was there to begin it.
MAX_DELAY = timedelta(minutes=10)

logger = logging.getLogger(__name__)


def enqueue_due() -> None:
    """Begin every report that is due; safe to run concurrently."""
    for report, due_at in cron.claim_due(ScheduledReport.objects.select_related("owner")):
        _run_due(report, due_at)


def _run_due(report: ScheduledReport, due_at: datetime) -> None:
    if report.missed == ScheduledReport.Missed.SKIP and timezone.now() - due_at > MAX_DELAY:
        problem = f"{timezone.localtime(due_at):%d %b %H:%M} was missed, as no worker was there, and skipped."
        _record_run(report, last_problem=problem)
        return
    try:
        run(report)
    except exceptions.SpmsError as error:
        logger.warning("the scheduled report %s was not begun: %s", report.name, error)


def run(report: ScheduledReport) -> Task:
    """Begin a report now and subscribe its receivers. Raises SpmsError, also recorded in ``last_problem``."""
    try:
        task = _enqueue(report)
    except exceptions.SpmsError as error:
        _record_run(report, last_problem=str(error)[:300], last_run_at=timezone.now())
        raise
    _record_run(report, last_problem="", last_run_at=timezone.now(), last_task=task)
    return task


def _enqueue(report: ScheduledReport) -> Task:
    owner = report.owner
    if not (owner.is_active and owner.is_staff):
        raise exceptions.ReportRefused(
            f"{owner} may not schedule reports any more; somebody else must own it."
        )

    def subscribe(task: Task) -> None:
        for address in report.receivers:
            notification_task.subscribe_with_file(task, owner, address)

    request = replace(_request_for(report, owner), on_begin=subscribe)
    if (task := lifecycle.latest_result(request.kind, request.fingerprint)) is not None:
        with transaction.atomic():
            subscribe(task)
        return task
    return hints.submit_in_background(request, user=owner, rule="schedule")[0]


def _request_for(report: ScheduledReport, owner: User) -> TaskRequest:
    """Return the request for what a report shows now. Raises ReportRefused when its document is gone."""
    if report.kind == ScheduledReport.Kind.EXPORT:
        export = spec.parse(**report.arguments)
        return export_task.request_for(export, spec.current_version(export, owner))
    document = blocks.get_document(report.document_id) if report.document_id else None
    if document is None:
        raise exceptions.ReportRefused("Its document is gone.")
    return pdf_task.request_for(document, editions.from_arguments(report.arguments))


def _record_run(report: ScheduledReport, **values: object) -> None:
    ScheduledReport.objects.filter(pk=report.pk).update(**values)
