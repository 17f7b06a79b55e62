"""The kind of task that makes an export: what its person may see at that moment → a file → store."""

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from django.utils import timezone

from documents import exceptions
from documents.infrastructure import storage
from documents.models import Task, Viewer
from documents.queue import lifecycle, registry
from documents.queue.registry import TaskContext, TaskOutput
from documents.queue.requests import TaskRequest
from documents.tasks.exports import rows, spec, writers, zip_file
from documents.tasks.exports.spec import ExportSpec

KIND = "export"
ROWS_PER_CHECK = 100
MAX_NAMED = 3
XLSX_SHARE = 0.7


@dataclass(frozen=True, kw_only=True)
class WriteResult:
    """What was written: how many rows (or PDFs), and what somebody should know about it."""

    rows: int
    warnings: list[str] = field(default_factory=list)


def request_for(export: ExportSpec, state: spec.ExportVersion) -> TaskRequest:
    """Return the request for a file of these rows."""
    return TaskRequest(
        kind=KIND,
        fingerprint=state.fingerprint,
        arguments=export.as_arguments(),
        estimate_seconds=spec.estimate_seconds(export, state.rows),
    )


def find_existing(export: ExportSpec, state: spec.ExportVersion) -> Task | None:
    """Return the task that made this already; never for a ZIP, as a PDF changes with more than its document."""
    return None if export.is_zip else lifecycle.latest_result(KIND, state.fingerprint)


def run(attempt: TaskContext) -> TaskOutput:
    """Make the file of an export.

    Its fingerprint is taken before the first row is read: what changes meanwhile makes the next export a new one.
    """
    started = time.monotonic()
    export, user = spec.from_arguments(attempt.task.arguments), spec.requesting_user(attempt.task)
    if export.make:
        zip_file.render_missing(export, user, attempt)
    state = spec.current_version(export, user)
    _check_size(export, state)
    with storage.workspace() as folder:
        path = folder / f"export.{export.format}"
        with storage.translate_storage_errors():
            written = _write(path, export, user, attempt)
            digest, size_bytes = _synced(path)
        attempt.report("store", written.rows)
        file = storage.save(path, suffix=path.suffix)
    facts = {
        "rows": written.rows,
        "bytes": size_bytes,
        "seconds": round(time.monotonic() - started, 3),
        "filename": f"{export.what} {timezone.localdate():%Y-%m-%d}.{export.format}",
        "media_type": spec.FORMATS[export.format].media_type,
        "warnings": written.warnings,
    }
    unit = "PDF" if export.is_zip else "row"
    counted = f"{written.rows:,} {unit}{'' if written.rows == 1 else 's'}."
    message = " ".join([counted, *written.warnings])[:500]
    return TaskOutput(file=file, digest=digest, fingerprint=state.fingerprint, facts=facts, message=message)


def _check_size(export: ExportSpec, state: spec.ExportVersion) -> None:
    if export.format == "xlsx" and state.rows > writers.MAX_XLSX_ROWS:
        most = f"{writers.MAX_XLSX_ROWS:,}"
        raise exceptions.ExportTooLarge(f"A sheet of XLSX holds {most} rows. Narrow the filter, or take CSV.")


def _write(path: Path, export: ExportSpec, user: Viewer, attempt: TaskContext) -> WriteResult:
    if not export.is_zip:
        return _write_table(path, export, user, attempt)
    packed, missing = zip_file.write(path, export, user, attempt)
    said = "1 PDF is" if missing == 1 else f"{missing:,} PDFs are"
    warnings = [f"{said} missing; {zip_file.MAX_MISSING_LISTED} in the ZIP says why."] if missing else []
    return WriteResult(rows=packed, warnings=warnings)


def _write_table(path: Path, export: ExportSpec, user: Viewer, attempt: TaskContext) -> WriteResult:
    row_count, left_out = 0, OmittedCells()
    writer, names = writers.WRITERS[export.format], spec.columns_of(export)
    paced = rows.with_progress(
        rows.iter_records(export, user), _with_less_time(export, attempt), every=ROWS_PER_CHECK
    )
    with writer(path, names, lambda: attempt.report("write", row_count)) as write:
        for record in paced:
            row_count += 1
            left_out.note(record, write(record))
    return WriteResult(rows=row_count, warnings=left_out.warnings())


def _with_less_time(export: ExportSpec, attempt: TaskContext) -> TaskContext:
    """Return the attempt with less time for rows where putting the file together takes time as well."""
    now, share = time.monotonic(), XLSX_SHARE if export.format == "xlsx" else 1.0
    return replace(attempt, deadline=now + share * (attempt.deadline - now))


class OmittedCells:
    """Counts the texts that were too long for their cell, and keeps where the first ones are."""

    def __init__(self) -> None:
        self._count = 0
        self._named: list[str] = []

    def note(self, record: rows.Record, columns: Sequence[str]) -> None:
        """Note the columns of a record that were left out."""
        self._count += len(columns)
        for column in columns[: MAX_NAMED - len(self._named)]:
            self._named.append(f"{record['tag']} {record['kind']} {record['year']} {column}")

    def warnings(self) -> list[str]:
        """Return what to tell, if there is anything."""
        if not self._count:
            return []
        more = f" and {self._count - len(self._named):,} more" if self._count > len(self._named) else ""
        most = f"{writers.MAX_XLSX_CHARACTERS:,}"
        which = f"{', '.join(self._named)}{more}"
        return [f"Left out, as a cell of XLSX holds {most} characters: {which}. CSV has everything."]


def _synced(path: Path) -> tuple[str, int]:
    """Bring a file to the disk; return its SHA-256 and its size in bytes."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
        return hashlib.file_digest(stream, "sha256").hexdigest(), path.stat().st_size


registry.register(registry.TaskType(name=KIND, title="export", run=run))
