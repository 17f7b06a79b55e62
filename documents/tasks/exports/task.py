"""The task type that makes an export: the rows its user may see → a file → the storage."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from django.template.defaultfilters import pluralize
from django.utils import timezone

from documents import exceptions, task_warnings
from documents.infrastructure import files, storage
from documents.models import Task
from documents.queue import lifecycle, registry
from documents.queue.registry import StoredFile, TaskContext, TaskOutput
from documents.queue.requests import TaskRequest
from documents.task_warnings import TaskWarning
from documents.tasks.exports import contents, rows, spec, writers, zip_file
from documents.tasks.exports.spec import ExportSpec

KIND = "export"
ROWS_PER_CHECK = 100
MAX_NAMED = 3
XLSX_SHARE = 0.7


@dataclass(frozen=True, kw_only=True)
class WriteResult:
    """How many rows (or PDFs) were written, and warnings for people."""

    rows: int
    warnings: tuple[TaskWarning, ...] = ()


def request_for(export: ExportSpec, state: spec.ExportVersion) -> TaskRequest:
    """Return the request for a file of these rows."""
    return TaskRequest(
        kind=KIND,
        fingerprint=state.fingerprint,
        arguments=export.as_arguments(),
        estimate_seconds=spec.estimate_seconds(export, state.rows),
    )


def find_existing(export: ExportSpec, version: spec.ExportVersion) -> Task | None:
    """Return the task that made this file already; never for a ZIP, whose PDFs depend on more than documents."""
    return None if export.is_zip else lifecycle.latest_result(KIND, version.fingerprint)


def run(attempt: TaskContext) -> TaskOutput:
    """Make the file of an export.

    The fingerprint is taken before the first row is read, so a later change makes the next export a new one.
    Raises ExportTooLarge, Reschedule, StorageFull, StorageUnavailable.
    """
    started = time.monotonic()
    export, user = spec.from_arguments(attempt.task.arguments), spec.requesting_user(attempt.task)
    if export.make:
        zip_file.render_missing(export, user, attempt)
    version = spec.current_version(export, user)
    _check_size(export, version)
    ids = rows.ids_for(export, user)
    contents.record(attempt.task, user, ids)
    with storage.workspace() as folder:
        path = folder / f"export.{export.format}"
        with storage.translate_storage_errors():
            written = _write(path, export, ids, attempt)
            digest, size_bytes = files.sync_and_hash(path)
        attempt.report("store", written.rows)
        file = StoredFile(
            name=storage.save(path, suffix=path.suffix),
            digest=digest,
            size_bytes=size_bytes,
            filename=f"{export.what} {timezone.localdate():%Y-%m-%d}.{export.format}",
            media_type=spec.FORMATS[export.format].media_type,
        )
    return TaskOutput(
        file=file,
        fingerprint=version.fingerprint,
        metadata={
            "rows": written.rows,
            "seconds": round(time.monotonic() - started, 3),
            "warnings": task_warnings.as_json(written.warnings),
        },
        message=_message(export, written),
    )


def _message(export: ExportSpec, written: WriteResult) -> str:
    unit = "PDF" if export.is_zip else "row"
    counted = f"{written.rows:,} {unit}{pluralize(written.rows)}."
    return " ".join([counted, task_warnings.sentences(written.warnings)]).rstrip()[:500]


def _check_size(export: ExportSpec, version: spec.ExportVersion) -> None:
    if export.format == "xlsx" and version.rows > writers.MAX_XLSX_ROWS:
        raise exceptions.ExportTooLarge(
            f"A sheet of XLSX holds {writers.MAX_XLSX_ROWS:,} rows. Narrow the filter, or take CSV."
        )


def _write(path: Path, export: ExportSpec, ids: Iterable[int], attempt: TaskContext) -> WriteResult:
    if not export.is_zip:
        return _write_table(path, export, ids, attempt)
    packed, missing = zip_file.write(path, ids, attempt)
    counted = f"{missing:,} PDF{pluralize(missing, ' is,s are')}"
    text = f"{counted} missing; {zip_file.MISSING_LIST} in the ZIP says why."
    warning = TaskWarning(rule="pdf-missing", text=text)
    return WriteResult(rows=packed, warnings=(warning,) if missing else ())


def _write_table(path: Path, export: ExportSpec, ids: Iterable[int], attempt: TaskContext) -> WriteResult:
    row_count, omitted = 0, OmittedCells()
    writer, names = writers.WRITERS[export.format], spec.columns_of(export)
    paced = rows.with_progress(
        rows.iter_records(export, ids), _with_write_deadline(export, attempt), every=ROWS_PER_CHECK
    )
    with writer(path, names, lambda: attempt.report("write", row_count)) as write:
        for record in paced:
            row_count += 1
            omitted.note(record, write(record))
    return WriteResult(rows=row_count, warnings=omitted.warnings())


def _with_write_deadline(export: ExportSpec, attempt: TaskContext) -> TaskContext:
    """Return the attempt with an earlier deadline for the rows of XLSX, which takes time to finish as well."""
    now, share = time.monotonic(), XLSX_SHARE if export.format == "xlsx" else 1.0
    return replace(attempt, deadline=now + share * (attempt.deadline - now))


class OmittedCells:
    """Counts the texts that were too long for their cell, and names the first ones."""

    def __init__(self) -> None:
        self._count = 0
        self._named: list[str] = []

    def note(self, record: rows.Record, columns: Sequence[str]) -> None:
        """Count the columns of a record that were left out."""
        self._count += len(columns)
        for column in columns[: MAX_NAMED - len(self._named)]:
            self._named.append(f"{record['tag']} {record['kind']} {record['year']} {column}")

    def warnings(self) -> tuple[TaskWarning, ...]:
        """Return a warning if any text was left out."""
        if not self._count:
            return ()
        more = f" and {self._count - len(self._named):,} more" if self._count > len(self._named) else ""
        limit = f"{writers.MAX_XLSX_CHARACTERS:,}"
        omitted = f"{', '.join(self._named)}{more}"
        text = f"Left out, as a cell of XLSX holds {limit} characters: {omitted}. CSV has everything."
        return (TaskWarning(rule="text-too-long", text=text),)


registry.register(registry.TaskType(name=KIND, title="export", run=run, may_read_file=contents.may_read))
