"""The table of the results."""

import os
import platform
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

import psutil

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
START, END = "<!-- table -->", "<!-- end of table -->"
VERDICTS = {True: "yes", False: "**no**", None: ""}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row: criterion, goal, measured figures, and whether they meet the goal (None: no goal)."""

    criterion: str
    measured: str
    goal: str = ""
    is_met: bool | None = None


class Strangers:
    """Measures how busy other work keeps the machine: figures of a busy machine mean little."""

    def __init__(self) -> None:
        self._started, self._before = time.monotonic(), self._seconds()

    def cores(self) -> float:
        """Return how many cores were busy with other work since the start, on average."""
        return max(0.0, (self._seconds() - self._before) / (time.monotonic() - self._started))

    def _seconds(self) -> float:
        """Return the computing time so far of all processes but this one and those that it has ended."""
        machine, own = psutil.cpu_times(), os.times()
        return float(machine.user + machine.nice + machine.system) - sum(own[:4])


def machine(strangers: Strangers) -> str:
    """Return the facts about the machine that a comparison of figures needs."""
    return (
        f"{os.cpu_count()} cores (other work kept {strangers.cores():.2f} of them busy), "
        f"{platform.system()}, Python {platform.python_version()}, WeasyPrint {version('weasyprint')}, "
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
    """Return the median ratio of the pairs, which were measured together: a slow machine slows both sides."""
    return median(first / second for first, second in pairs)


def medians(pairs: list[tuple[float, float]]) -> str:
    """Return the medians of both sides as a text."""
    return " to ".join(milliseconds(median(figures)) for figures in zip(*pairs, strict=True))


def milliseconds(seconds: float) -> str:
    """Return a time as a text."""
    return f"{seconds * 1000:,.0f} ms" if seconds >= 0.02 else f"{seconds * 1000:.1f} ms"
