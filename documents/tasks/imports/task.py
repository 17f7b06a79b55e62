"""The task type that imports a file: fetch it, validate it, and write it unless this is a dry run."""

import hashlib
import logging
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from documents import exceptions
from documents.infrastructure import files, storage
from documents.models import Task
from documents.queue import leases, lifecycle, registry
from documents.queue.registry import StoredFile, TaskContext, TaskOutput
from documents.queue.requests import TaskRequest
from documents.tasks.imports import validation, writer
from documents.tasks.imports.resources import RESOURCES
from documents.tasks.imports.validation import ValidationReport

KIND = "import"
# A tenth of what bench/imports.py measures: a web process that validates a large file slows other requests down, so
# large files go to the queue. XLSX is compressed and counts for more.
BYTES_PER_SECOND = 250_000
ZIP_FACTOR = 4

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ImportRequest:
    """A file to import, by its SHA-256, the resource it holds, and whether only to validate it.

    ``dry_run_task`` is the id of the dry run whose file this is, if there was one.
    """

    what: str
    is_dry_run: bool
    digest: str
    filename: str
    dry_run_task: str = ""

    def as_arguments(self) -> dict[str, Any]:
        """Return the arguments of the task."""
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
        """Return the SHA-256 of the input; a second task with the same one would repeat the work."""
        text = f"{self.what} {self.is_dry_run} {self.digest}"
        return hashlib.sha256(text.encode()).hexdigest()


def request_from(task: Task) -> ImportRequest:
    """Return the request that a task was created for."""
    return ImportRequest(**task.arguments)


def estimate_seconds(size_bytes: int, *, is_zip: bool) -> float:
    """Return how many seconds validating a file of this size probably takes."""
    return size_bytes * (ZIP_FACTOR if is_zip else 1) / BYTES_PER_SECOND


def apply_request(checked: Task) -> ImportRequest:
    """Return the request to import the file of a dry run. Raises TaskStateConflict unless it had no errors."""
    request, facts = request_from(checked), checked.result or {}
    if not request.is_dry_run:
        raise exceptions.TaskStateConflict("This was an import, not a dry run: send the file again.")
    if checked.status != Task.Status.SUCCEEDED or facts.get("error_count"):
        raise exceptions.TaskStateConflict(
            "The file has errors, or was not validated to its end. Correct it and send it again."
        )
    return replace(request, is_dry_run=False, dry_run_task=str(checked.pk))


def run(attempt: TaskContext) -> TaskOutput:
    """Validate the file of a task, and write its rows if it has no errors and this is no dry run.

    Raises ImportRefused, ImportUnreadable, ImportTooSlow, ImportConflict, StorageFull, StorageUnavailable.
    """
    started, task = time.monotonic(), attempt.task
    request = request_from(task)
    staff_user = _require_staff(task)
    with storage.workspace() as folder:
        source = _fetch(task, request, folder / "source")
        summary = _validate(attempt, request, source)
        output = _output(task, request, summary, folder / "report.csv", time.monotonic() - started)
        if not request.is_dry_run:
            if summary.error_count:
                _refuse(task, output, summary)
            _write(attempt, request, folder / "plan.jsonl", output)
    logger.info(
        "import %s by %s: %s, file %s, %s", task.pk, staff_user, request.what, request.digest, output.message
    )
    return output


def _require_staff(task: Task) -> User:
    """Return the user who requested the import. Raises ImportRefused unless they are still staff."""
    staff_user = task.staff_requester()
    if staff_user is None:
        raise exceptions.ImportRefused(
            "Only staff may import, and the person who requested this is no longer staff."
        )
    return staff_user


def _fetch(task: Task, request: ImportRequest, path: Path) -> Path:
    """Copy the file to this machine. Raises ImportUnreadable unless it is the one that was uploaded."""
    with storage.translate_storage_errors():
        try:
            with storage.open_file(task.source) as stored, path.open("wb") as copy:
                digest, _ = files.copy_hashed(stored, copy)
        except FileNotFoundError as error:
            raise exceptions.ImportUnreadable("The uploaded file was removed. Send it again.") from error
    if digest != request.digest:
        raise exceptions.ImportUnreadable("The stored file is not the one that was uploaded. Send it again.")
    return path


def _validate(attempt: TaskContext, request: ImportRequest, source: Path) -> ValidationReport:
    def on_progress(rows: int) -> None:
        attempt.report("check", rows)
        if time.monotonic() > attempt.deadline:
            raise exceptions.ImportTooSlow(
                "Split the file, or import it through the queue with a longer time limit."
            )

    attempt.report("check", 0)
    return validation.validate(
        source,
        RESOURCES[request.what],
        report=source.with_name("report.csv"),
        plan=source.with_name("plan.jsonl"),
        on_progress=on_progress,
    )


def _output(
    task: Task, request: ImportRequest, summary: ValidationReport, report: Path, seconds: float
) -> TaskOutput:
    """Save the report and return the task's output, which names it."""
    metadata = summary.as_metadata() | {
        "what": request.what,
        "dry_run": request.is_dry_run,
        "source": request.filename,
        "source_digest": request.digest,
        "seconds": round(seconds, 3),
    }
    return TaskOutput(
        file=_save_report(report, f"{Path(request.filename).stem} report.csv"),
        fingerprint=task.fingerprint,
        metadata=metadata,
        message=f"{summary} Nothing was written: a dry run." if request.is_dry_run else str(summary),
    )


def _save_report(report: Path, filename: str) -> StoredFile:
    digest, size_bytes = files.sync_and_hash(report)
    return StoredFile(
        name=storage.save(report, suffix=".csv"),
        digest=digest,
        size_bytes=size_bytes,
        filename=filename,
        media_type="text/csv; charset=utf-8",
    )


def _refuse(task: Task, output: TaskOutput, summary: ValidationReport) -> None:
    """Store the report with the task, and raise ImportRefused."""
    leases.held_by(task).update(**output.as_columns())
    first = next(issue for issue in summary.first if issue.is_error)
    where = f"the first in row {first.row}, column {first.column}: {first.problem}"
    raise exceptions.ImportRefused(
        f"{validation.count_noun(summary.error_count, 'error')}, {where} The task's file lists them."
    )


def _write(attempt: TaskContext, request: ImportRequest, plan: Path, output: TaskOutput) -> None:
    """Write and publish in one transaction, so that the rows and the task's success become visible together.

    No progress is reported: nobody could see it inside the transaction, and SQLite allows no second writer. So
    writing must take less time than a lease, which was just renewed. Raises ImportConflict.
    """
    attempt.report("write", 0)
    started = time.monotonic()
    try:
        with transaction.atomic():
            by = _require_staff(attempt.task).get_username()
            writer.write_rows(validation.changes(plan), replace(RESOURCES[request.what], by=by))
            write_seconds = round(time.monotonic() - started, 3)
            output = replace(output, metadata=output.metadata | {"write_seconds": write_seconds})
            lifecycle.publish(attempt.task, output)
    except IntegrityError as error:
        raise exceptions.ImportConflict(
            f"Another user removed a row that the file refers to. {writer.RECHECK_HINT}"
        ) from error


registry.register(registry.TaskType(name=KIND, title="import", run=run))
