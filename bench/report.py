"""The table of the results."""

import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
START, END = "<!-- table -->", "<!-- end of table -->"
VERDICTS = {True: "yes", False: "**no**", None: ""}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line: what was asked, the goal, what was measured, and whether that meets it (None: no goal)."""

    criterion: str
    measured: str
    goal: str = ""
    is_met: bool | None = None


def machine() -> str:
    """Return what somebody must know of the machine to compare figures; call it before the load begins."""
    return (
        f"{os.cpu_count()} cores (load {os.getloadavg()[0]:.1f} at the start), {platform.system()}, "
        f"Python {platform.python_version()}, WeasyPrint {version('weasyprint')}, "
        f"{datetime.now(UTC):%Y-%m-%d}"
    )


def table(rows: list[Row], machine: str) -> str:
    """Return the results as a Markdown table with the machine and the day."""
    lines = ["| criterion | goal | measured | met |", "| --- | --- | --- | --- |"]
    lines += [f"| {row.criterion} | {row.goal} | {row.measured} | {VERDICTS[row.is_met]} |" for row in rows]
    return "\n".join([*lines, "", f"Measured on: {machine}."])


def write(text: str) -> None:
    """Put the table into docs/performance.md."""
    before, _, rest = PAGE.read_text().partition(START)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{START}\n\n{text}\n\n{END}{after}")


def ratio(pairs: list[tuple[float, float]]) -> float:
    """Return the median of the ratios of neighbours in time: what slows the machine slows both."""
    return median(first / second for first, second in pairs)


def medians(pairs: list[tuple[float, float]]) -> str:
    """Return the medians of both sides, to read."""
    return " to ".join(milliseconds(median(figures)) for figures in zip(*pairs, strict=True))


def milliseconds(seconds: float) -> str:
    """Return a time to read."""
    return f"{seconds * 1000:,.0f} ms" if seconds >= 0.02 else f"{seconds * 1000:.1f} ms"
