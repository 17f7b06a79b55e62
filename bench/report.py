"""The table of the results."""

import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
START, END = "<!-- table -->", "<!-- end of table -->"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line: what was asked, the goal, what was measured, and whether that meets it (None: no goal)."""

    criterion: str
    goal: str
    measured: str
    is_met: bool | None


def table(rows: list[Row]) -> str:
    """Return the results as a Markdown table with the machine and the day."""
    verdict = {True: "yes", False: "**no**", None: ""}
    lines = ["| criterion | goal | measured | met |", "| --- | --- | --- | --- |"]
    lines += [f"| {row.criterion} | {row.goal} | {row.measured} | {verdict[row.is_met]} |" for row in rows]
    machine = (
        f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, "
        f"WeasyPrint {version('weasyprint')}, {datetime.now(UTC):%Y-%m-%d}"
    )
    return "\n".join([*lines, "", f"Measured on: {machine}."])


def write(text: str) -> None:
    """Put the table into docs/performance.md."""
    before, _, rest = PAGE.read_text().partition(START)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{START}\n\n{text}\n\n{END}{after}")
