"""What the demo tells: one line for each happening under the clock of the afternoon, and a bar on a terminal."""

import time
from datetime import datetime, timedelta

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

BEGIN = datetime(2026, 6, 30, 13, 0)  # noqa: DTZ001 (a clock on the wall)
FASTER = 90.0  # seconds of the afternoon in a second of the demo


class Narrator:
    """Prints lines and, on a terminal, a progress bar of ``max_seconds`` below them."""

    def __init__(self, max_seconds: float) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._begun_at = time.monotonic()
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=self._console, disable=not self._console.is_terminal)
        self._bar = self._progress.add_task("the afternoon", total=max_seconds)

    def __enter__(self) -> "Narrator":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def clock(self) -> str:
        """Return the time of the afternoon, as 14:02."""
        return f"{BEGIN + timedelta(seconds=FASTER * (time.monotonic() - self._begun_at)):%H:%M}"

    def begin(self) -> None:
        """Begin the afternoon now."""
        self._begun_at = time.monotonic()
        self._progress.reset(self._bar)

    def say(self, text: str) -> None:
        """Print what happens, under the clock."""
        self.print(f"{self.clock()}  {text}")

    def print(self, text: str) -> None:
        """Print a line as it is."""
        self._console.print(text, markup=False)

    def tick(self) -> None:
        """Move the bar on."""
        self._progress.update(self._bar, completed=time.monotonic() - self._begun_at)

    def finish(self) -> None:
        """Fill the bar."""
        self._progress.update(self._bar, total=1, completed=1)

    def show(self, rows: dict[str, str]) -> None:
        """Print the figures of the afternoon as a table."""
        table = Table(show_header=False)
        for name, value in rows.items():
            table.add_row(name, value)
        self._console.print(table)
