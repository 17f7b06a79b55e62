"""Judge a whole file before anything is written: a report for people, a plan for the writer, and counts."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

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
    """What a file would do, in rows, and the first findings."""

    rows: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    error_count: int = 0
    warning_count: int = 0
    first: list[Issue] = field(default_factory=list)

    def as_metadata(self) -> dict[str, object]:
        """Return it as a task keeps it."""
        return asdict(self)

    def __str__(self) -> str:
        counts = f"{self.new:,} new, {self.changed:,} changed, {self.unchanged:,} unchanged"
        found = f"{count_noun(self.error_count, 'error')}, {count_noun(self.warning_count, 'warning')}"
        return f"{count_noun(self.rows, 'row')}: {counts}; {found}."


def count_noun(count: int, word: str) -> str:
    """Return a count with its word: “1 row”, “2,000 rows”."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def validate(
    source: Path, subject: ImportResource, *, report: Path, plan: Path, on_progress: Callable[[int], None]
) -> ValidationReport:
    """Judge every row of ``source``; write the findings to ``report`` and what to change to ``plan``.

    ``on_progress`` is called with the rows so far, and may raise to end it. Raises ImportUnreadable.
    """
    judged = ValidationReport()
    with (
        files.write_durably(report, "w", encoding="utf-8-sig", newline="") as table,
        plan.open("w", encoding="utf-8") as lines,
    ):
        note = _IssueLog(judged, table)
        head, rows = reader.read_table(source, known=subject.columns, required=subject.required)
        for column, problem in head.problems:
            note(issue(head.number, column, column, problem))
        if not head.problems:
            for verdict in _row_results(rows, subject, on_progress):
                _count(judged, verdict, note, lines)
        note.end()
    return judged


def changes(plan: Path) -> Iterator[list[Change]]:
    """Yield what a plan says, in the order of the file and in batches that fit into memory."""
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
    rows: Iterator[reader.ParsedRow], subject: ImportResource, on_progress: Callable[[int], None]
) -> Iterator[RowResult]:
    """Yield a verdict for each row; one that says the same as an earlier row is wrong."""
    first_rows: dict[tuple[object, ...], int] = {}
    done = 0
    for batch in _batches(rows, lambda row: sum(map(len, row.cells.values()))):
        for verdict in subject.judge(batch):
            if verdict.identity:
                first = first_rows.setdefault(verdict.identity, verdict.row.number)
                if first != verdict.row.number:
                    verdict.add_issue(subject.required[0], f"Row {first} is about the same.")
            yield verdict
            done += 1
            on_progress(done)


def _count(judged: ValidationReport, verdict: RowResult, note: "_IssueLog", plan: IO[str]) -> None:
    judged.rows += 1
    for one in verdict.findings:
        note(one)
    if verdict.has_errors:
        return
    if verdict.change is None:
        judged.unchanged += 1
        return
    judged.new += verdict.change.pk is None
    judged.changed += verdict.change.pk is not None
    plan.write(json.dumps(asdict(verdict.change)) + "\n")


class _IssueLog:
    """Writes findings down as CSV, up to a number that somebody may read; counts all."""

    def __init__(self, judged: ValidationReport, table: IO[str]) -> None:
        self._judged = judged
        self._table = csv.writer(table)
        self._table.writerow(("row", "column", "value", "severity", "problem"))

    def __call__(self, one: Issue) -> None:
        judged = self._judged
        if judged.error_count + judged.warning_count < MAX_ISSUES:
            severity = "error" if one.is_error else "warning"
            row = (str(one.row), one.column, one.value, severity, one.problem)
            self._table.writerow(map(escape_formula, row))
        if len(judged.first) == MAX_ROWS_SHOWN and one.is_error and not judged.error_count:
            judged.first.pop()  # one error at least is among the first, however many warnings are before it
        if len(judged.first) < MAX_ROWS_SHOWN:
            judged.first.append(one)
        judged.error_count += one.is_error
        judged.warning_count += not one.is_error

    def end(self) -> None:
        """Say how many were left out."""
        more = self._judged.error_count + self._judged.warning_count - MAX_ISSUES
        if more > 0:
            self._table.writerow(("", "", "", "", f"{more:,} more were found and are not listed."))
