"""Scheduled kinds of task: the nightly clean-up and the weekly summary."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import batched

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.files.storage import Storage, default_storage
from django.core.mail import EmailMessage
from django.db.models import Count, Exists, Model, OuterRef, Q
from django.utils import timezone

from documents.infrastructure import storage
from documents.models import DocumentImage, DrawnPart, SignIn, Task
from documents.models.tasks import PRERENDER
from documents.queue import registry, statistics
from documents.queue.registry import TaskContext, TaskOutput
from documents.tasks.pdf import part_cache, prerender_figures, task as pdf_task
from documents.tasks.pdf.prerender_figures import PrerenderFigures

CLEANUP, SUMMARY = "cleanup", "summary"
# A file is written before the row that names it, so a younger file may still get one.
UNFINISHED = timedelta(hours=1)
# Much longer than a lock (15 minutes), so that somebody can still look at them the next morning.
FAILED_SIGN_INS_KEPT = timedelta(days=7)
BATCH = 500
WEEK = timedelta(days=7)


def clean_up(attempt: TaskContext) -> TaskOutput:
    """Remove old task rows and unused parts of reports, and then every file that no row names."""
    rows = remove_rows()
    remove_sign_ins()
    parts = part_cache.prune()
    attempt.report("files", 0)
    with storage.translate_storage_errors():
        named_results = ((Task, "file"), (Task, "source"), (Task, "picture"), (DrawnPart, "file"))
        files = remove_files(storage.results(), named_results)
        files += remove_files(default_storage, ((DocumentImage, "file"), (DocumentImage, "thumbnail")))
    message = f"{rows} task rows, {parts} drawn parts and {files} files were removed."
    return TaskOutput(
        fingerprint="", metadata={"rows": rows, "parts": parts, "files": files}, message=message
    )


def remove_rows() -> int:
    """Delete tasks that ended longer ago than ``SPMS_TASK_RETENTION``, but never a document's newest PDF.

    PDFs of deleted documents are deleted at once, and images that could not be prepared with their tasks. A PDF that
    nobody asked for is not protected.
    """
    ended = Task.objects.exclude(status__in=Task.IN_FLIGHT)
    newer = Task.objects.exclude(routed_by=PRERENDER).filter(
        kind=OuterRef("kind"),
        document=OuterRef("document"),
        status=Task.Status.SUCCEEDED,
        finished_at__gt=OuterRef("finished_at"),
    )
    is_delivered = Q(status=Task.Status.SUCCEEDED, document__isnull=False) & ~Q(routed_by=PRERENDER)
    newest = is_delivered & ~Exists(newer)
    old = ended.filter(finished_at__lt=timezone.now() - timedelta(seconds=settings.SPMS_TASK_RETENTION))
    orphaned = ended.filter(kind=pdf_task.KIND, document=None)
    removed = old.exclude(newest).delete()[0] + orphaned.delete()[0]
    # An image that failed stays as long as the task that says why.
    return removed + DocumentImage.objects.filter(file="", task=None).remove(by="")


def remove_sign_ins() -> int:
    """Delete expired sessions, and failed sign-ins that lock nobody any more; return how many."""
    now = timezone.now()
    expired, _ = Session.objects.filter(expire_date__lt=now).delete()
    SignIn.objects.ended().delete()
    return expired + _removed_attempts(now - FAILED_SIGN_INS_KEPT)


def _removed_attempts(before: datetime) -> int:
    removed: int
    removed, _ = AccessAttempt.objects.filter(attempt_time__lt=before).delete()
    return removed


def remove_files(files: Storage, named_in: Iterable[tuple[type[Model], str]]) -> int:
    """Delete the files of a storage that no row names in these models' columns; return how many."""
    removed = 0
    before = timezone.now() - UNFINISHED
    for names in batched(storage.iter_names(files), BATCH):
        named: set[str] = set()
        for model, column in named_in:
            rows = model._default_manager.filter(**{f"{column}__in": names})
            named.update(rows.values_list(column, flat=True))
        for name in names:
            if name not in named and files.get_modified_time(name) < before:
                files.delete(name)
                removed += 1
    return removed


def send_summary(attempt: TaskContext) -> TaskOutput:
    """Mail the week's figures to every maintainer who has an address."""
    maintainers = User.objects.filter(is_staff=True, is_active=True).exclude(email="")
    receivers = list(maintainers.values_list("email", flat=True))
    if receivers:
        EmailMessage("SPMS: the last seven days", summary(), bcc=receivers).send()
    count = len(receivers)
    return TaskOutput(fingerprint="", metadata={"receivers": count}, message=f"Sent to {count} maintainers.")


def summary() -> str:
    """Return the renders, failures and times of the last seven days as text."""
    week = Task.objects.asked_for().filter(kind=pdf_task.KIND, finished_at__gt=timezone.now() - WEEK)
    counts = dict(week.values_list("status").annotate(Count("pk")))
    modes = dict(week.filter(status=Task.Status.SUCCEEDED).values_list("mode").annotate(Count("pk")))
    seconds = list(week.filter(status=Task.Status.SUCCEEDED).values_list("result__seconds", flat=True))
    p95_seconds = statistics.percentile(sorted(seconds), 0.95)
    p95 = "none rendered" if p95_seconds is None else f"{p95_seconds:.1f} s"
    rendered = counts.get(Task.Status.SUCCEEDED, 0)
    inline, queued = modes.get(Task.Mode.INLINE, 0), modes.get(Task.Mode.QUEUE, 0)
    lines = (
        f"PDFs rendered: {rendered} ({inline} inline, {queued} through the queue)",
        f"Failed: {counts.get(Task.Status.FAILED, 0)}",
        f"Cancelled: {counts.get(Task.Status.CANCELLED, 0)}",
        f"Rendering time, p95: {p95}",
        f"Waiting now: {Task.objects.waiting().count()}",
        *_prerender_lines(prerender_figures.since(timezone.now() - WEEK)),
    )
    return "\n".join(lines)


def _prerender_lines(figures: PrerenderFigures) -> list[str]:
    if figures.is_empty:
        return []
    counts = (
        f"PDFs made ahead: {figures.used} used, {figures.unused} not used, {figures.gave_way} gave way,"
        f" {figures.failed} failed; {figures.wasted_seconds:.0f} s of computing for nothing"
    )
    share = figures.ready_share
    return [counts] if share is None else [counts, f"Requests that found their PDF ready: {share:.0%}"]


for _task_type in (
    registry.TaskType(name=CLEANUP, title="clean-up", run=clean_up, is_low_priority=True),
    registry.TaskType(name=SUMMARY, title="weekly summary", run=send_summary, is_low_priority=True),
):
    registry.register(_task_type)
