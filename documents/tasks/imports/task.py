"""The kind of task that imports a file: fetch it, judge it, and write it unless this is a dry run."""

import hashlib
import logging
import os
import shutil
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction

from documents import exceptions
from documents.infrastructure import storage
from documents.models import Task
from documents.queue import leases, lifecycle, registry
from documents.queue.registry import TaskContext, TaskOutput
from documents.queue.requests import TaskRequest
from documents.tasks.imports import validation, writer
from documents.tasks.imports.resources import RESOURCES
from documents.tasks.imports.validation import ValidationReport

KIND = "import"
CHUNK_BYTES = 1_000_000
# A tenth of what bench/imports.py measures: a web process that checks a large file has little time for others, so
# that belongs in the queue. What is packed in XLSX counts for more.
BYTES_PER_SECOND = 250_000
ZIP_FACTOR = 4

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ImportRequest:
    """What is to be imported: a file by its digest, as what, and whether to write it or only to look.

    ``dry_run_task`` is the id of the dry run whose file this is, if there was one.
    """

    what: str
    is_dry_run: bool
    digest: str
    filename: str
    dry_run_task: str = ""

    def as_arguments(self) -> dict[str, Any]:
        """Return it as a task keeps it."""
        return asdict(self)

    def as_task_request(self, source: str, *, estimate_seconds: float) -> TaskRequest:
        """Return the request for a task that imports the file named ``source`` in the result storage."""
        return TaskRequest(
            kind=KIND,
            fingerprint=self.fingerprint(),
            arguments=self.as_arguments(),
            source=source,
            estimate_seconds=estimate_seconds,
        )

    def fingerprint(self) -> str:
        """Return the SHA-256 of what goes in: two at once would do the same work."""
        text = f"{self.what} {self.is_dry_run} {self.digest}"
        return hashlib.sha256(text.encode()).hexdigest()


def request_from(task: Task) -> ImportRequest:
    """Return what a task was asked for."""
    return ImportRequest(**task.arguments)


def store_upload(upload: UploadedFile) -> tuple[str, str]:  # type: ignore[type-arg]
    """Keep an uploaded file with the results; return its name there and its digest."""
    digest = hashlib.sha256()
    with storage.workspace() as folder, storage.translate_storage_errors():
        path = folder / "source"
        with path.open("wb") as copy:
            for chunk in upload.chunks(CHUNK_BYTES):
                digest.update(chunk)
                copy.write(chunk)
            copy.flush()
            os.fsync(copy.fileno())
        return storage.save(path, suffix=".import"), digest.hexdigest()


def estimate_seconds(size_bytes: int, *, is_zip: bool) -> float:
    """Return what judging a file of this size probably takes."""
    return size_bytes * (ZIP_FACTOR if is_zip else 1) / BYTES_PER_SECOND


def apply_request(checked: Task) -> ImportRequest:
    """Return the order to import the file of a dry run. Raises TaskState unless that was clean."""
    order, facts = request_from(checked), checked.result or {}
    if not order.is_dry_run:
        raise exceptions.TaskStateConflict("This was an import, not a dry run: send the file again.")
    if checked.status != Task.Status.SUCCEEDED or facts.get("error_count"):
        raise exceptions.TaskStateConflict(
            "The file has errors, or was not checked to its end: correct it, and send it again."
        )
    return replace(order, is_dry_run=False, dry_run_task=str(checked.pk))


def run(attempt: TaskContext) -> TaskOutput:
    """Judge the file of a task, and write what it says if that is wanted and nothing is wrong."""
    started, task = time.monotonic(), attempt.task
    order = request_from(task)
    user = _require_staff(task)
    with storage.workspace() as folder:
        source = _fetch(task, order, folder / "source")
        judged = _validate(attempt, order, source)
        outcome = _outcome(task, order, judged, folder / "report.csv", time.monotonic() - started)
        if not order.is_dry_run:
            if judged.error_count:
                _refuse(task, outcome, judged)
            _write(attempt, order, folder / "plan.jsonl", outcome)
    logger.info("import %s by %s: %s, file %s, %s", task.pk, user, order.what, order.digest, outcome.message)
    return outcome


def _require_staff(task: Task) -> User:
    """Return who asked for it, who must still be one of the staff."""
    user = User.objects.filter(pk=task.requested_by_id or 0, is_staff=True, is_active=True).first()
    if user is None:
        raise exceptions.ImportRefused("Only staff may import, and who asked for this is not staff any more.")
    return user


def _fetch(task: Task, order: ImportRequest, path: Path) -> Path:
    """Copy the file to this machine, and make sure that it is the one that was sent."""
    with storage.translate_storage_errors():
        try:
            with storage.open_file(task.source) as kept, path.open("wb") as copy:
                shutil.copyfileobj(kept, copy, CHUNK_BYTES)
        except FileNotFoundError as error:
            raise exceptions.ImportUnreadable("It was removed meanwhile; send it again.") from error
        with path.open("rb") as copied:
            digest = hashlib.file_digest(copied, "sha256").hexdigest()
    if digest != order.digest:
        raise exceptions.ImportUnreadable("It is not the file that was sent; send it again.")
    return path


def _validate(attempt: TaskContext, order: ImportRequest, source: Path) -> ValidationReport:
    def on_progress(rows: int) -> None:
        attempt.report("check", rows)
        if time.monotonic() > attempt.deadline:
            raise exceptions.ImportTooSlow(
                "Split the file, or have it done by the queue with a longer time limit."
            )

    attempt.report("check", 0)
    return validation.validate(
        source,
        RESOURCES[order.what],
        report=source.with_name("report.csv"),
        plan=source.with_name("plan.jsonl"),
        on_progress=on_progress,
    )


def _outcome(
    task: Task, order: ImportRequest, judged: ValidationReport, report: Path, seconds: float
) -> TaskOutput:
    """Keep the report and return the outcome that names it."""
    content = report.read_bytes()
    facts = judged.as_metadata() | {
        "what": order.what,
        "dry_run": order.is_dry_run,
        "source": order.filename,
        "source_digest": order.digest,
        "seconds": round(seconds, 3),
        "bytes": len(content),
        "filename": f"{Path(order.filename).stem} report.csv",
        "media_type": "text/csv; charset=utf-8",
    }
    return TaskOutput(
        file=storage.save(report, suffix=".csv"),
        digest=hashlib.sha256(content).hexdigest(),
        fingerprint=task.fingerprint,
        facts=facts,
        message=f"{judged} Nothing was written: a dry run." if order.is_dry_run else str(judged),
    )


def _refuse(task: Task, outcome: TaskOutput, judged: ValidationReport) -> None:
    """Leave the report with the task, which fails. Raises ImportRefused."""
    leases.held_by(task).update(file=outcome.file, digest=outcome.digest, result=outcome.facts)
    first = next(one for one in judged.first if one.is_error)
    where = f"the first in row {first.row}, column {first.column}: {first.problem}"
    raise exceptions.ImportRefused(
        f"{validation.count_noun(judged.error_count, 'error')}, {where} The task's file lists them."
    )


def _write(attempt: TaskContext, order: ImportRequest, plan: Path, outcome: TaskOutput) -> None:
    """Write and publish in one transaction: what was written and the task's success are there together.

    Nothing is reported meanwhile: it could not be seen, and on SQLite nobody else can write. So it must take
    less than a lease, which was just renewed.
    """
    attempt.report("write", 0)
    started = time.monotonic()
    try:
        with transaction.atomic():
            writer.write_rows(validation.changes(plan), RESOURCES[order.what])
            outcome.facts["write_seconds"] = round(time.monotonic() - started, 3)
            lifecycle.publish(attempt.task, outcome)
    except IntegrityError as error:
        raise exceptions.ImportConflict(
            f"Something was removed by somebody else meanwhile. {writer.RECHECK_HINT}"
        ) from error


registry.register(registry.TaskType(name=KIND, title="import", run=run))
