"""Validate a whole file before anything is written: a report for people, a plan for the writer, and counts."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from django.template.defaultfilters import pluralize

from documents.infrastructure import files
from documents.infrastructure.spreadsheets import escape_formula
from documents.tasks.imports import reader
from documents.tasks.imports.resources import ImportResource
from documents.tasks.imports.row_results import Change, Issue, RowResult, issue

BATCH = 250
BATCH_CHARACTERS = 4_000_000
MAX_ISSUES = 10_000
MAX_ROWS_SHOWN = 50


@dataclass(kw_only=True)
class ValidationReport:
    """How many rows a file would add, change or leave, and its first issues."""

    rows: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    error_count: int = 0
    warning_count: int = 0
    first: list[Issue] = field(default_factory=list)

    def as_metadata(self) -> dict[str, object]:
        """Return it as JSON for the task's result."""
        return asdict(self)

    def __str__(self) -> str:
        counts = f"{self.new:,} new, {self.changed:,} changed, {self.unchanged:,} unchanged"
        issues = f"{count_noun(self.error_count, 'error')}, {count_noun(self.warning_count, 'warning')}"
        return f"{count_noun(self.rows, 'row')}: {counts}; {issues}."


def count_noun(count: int, word: str) -> str:
    """Return a count with its word: “1 row”, “2,000 rows”."""
    return f"{count:,} {word}{pluralize(count)}"


def validate(
    source: Path, resource: ImportResource, *, report: Path, plan: Path, on_progress: Callable[[int], None]
) -> ValidationReport:
    """Validate every row of ``source``; write the issues to ``report`` and the changes to ``plan``.

    ``on_progress`` is called with the number of rows so far, and may raise to stop. Raises ImportUnreadable.
    """
    summary = ValidationReport()
    with (
        files.write_durably(report, "w", encoding="utf-8-sig", newline="") as table,
        plan.open("w", encoding="utf-8") as lines,
    ):
        note = _IssueLog(summary, table)
        head, rows = reader.read_table(source, columns=resource.columns, required=resource.required)
        for column, problem in head.problems:
            note(issue(head.number, column, column, problem))
        for column, text in head.notes:
            note(issue(head.number, column, "", text, is_error=False))
        if not head.problems:
            for result in _row_results(rows, resource, on_progress):
                _count(summary, result, note, lines)
        note.end()
    return summary


def changes(plan: Path) -> Iterator[list[Change]]:
    """Yield the changes of a plan in the order of the file, in batches that fit into memory."""
    with plan.open(encoding="utf-8") as lines:
        for batch in _batches(lines, len):
            yield [Change(**json.loads(line)) for line in batch]


def _batches[Item](items: Iterable[Item], size_of: Callable[[Item], int]) -> Iterator[list[Item]]:
    batch: list[Item] = []
    size = 0
    for item in items:
        batch.append(item)
        size += size_of(item)
        if len(batch) >= BATCH or size >= BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _row_results(
    rows: Iterator[reader.ParsedRow], resource: ImportResource, on_progress: Callable[[int], None]
) -> Iterator[RowResult]:
    """Yield the result of each row; a row with the key of an earlier one is an error."""
    first_rows: dict[tuple[object, ...], int] = {}
    done = 0
    for batch in _batches(rows, lambda row: sum(map(len, row.cells.values()))):
        for result in resource.validate(batch):
            if result.identity:
                first = first_rows.setdefault(result.identity, result.row.number)
                if first != result.row.number:
                    result.add_issue(resource.required[0], f"Row {first} has the same key.")
            yield result
            done += 1
            on_progress(done)


def _count(summary: ValidationReport, result: RowResult, note: "_IssueLog", plan: IO[str]) -> None:
    summary.rows += 1
    for row_issue in result.issues:
        note(row_issue)
    if result.has_errors:
        return
    if result.change is None:
        summary.unchanged += 1
        return
    summary.new += result.change.pk is None
    summary.changed += result.change.pk is not None
    plan.write(json.dumps(asdict(result.change)) + "\n")


class _IssueLog:
    """Writes issues as CSV, at most ``MAX_ISSUES`` of them, and counts all."""

    def __init__(self, summary: ValidationReport, table: IO[str]) -> None:
        self._summary = summary
        self._table = csv.writer(table)
        self._table.writerow(("row", "column", "value", "severity", "problem"))

    def __call__(self, entry: Issue) -> None:
        summary = self._summary
        if summary.error_count + summary.warning_count < MAX_ISSUES:
            severity = "error" if entry.is_error else "warning"
            row = (str(entry.row), entry.column, entry.value, severity, entry.problem)
            self._table.writerow(map(escape_formula, row))
        if len(summary.first) == MAX_ROWS_SHOWN and entry.is_error and not summary.error_count:
            summary.first.pop()  # at least one of the first is an error
        if len(summary.first) < MAX_ROWS_SHOWN:
            summary.first.append(entry)
        summary.error_count += entry.is_error
        summary.warning_count += not entry.is_error

    def end(self) -> None:
        """Add a line with the number of issues that were left out."""
        more = self._summary.error_count + self._summary.warning_count - MAX_ISSUES
        if more > 0:
            self._table.writerow(("", "", "", "", f"{more:,} more were found and are not listed."))
