"""The progress of a long command: a bar on a terminal, a plain line now and then elsewhere; on stderr."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LINE_EVERY_SECONDS = 5.0

# What is being done, how much of it is done, and how much there is.
type Report = Callable[[str, int, int], None]


def ignore(_what: str, _done: int, _total: int) -> None:
    """Report to nobody."""


@contextlib.contextmanager
def shown() -> Iterator[Report]:
    """Yield a function that shows how far a command is; call it as often as it is convenient."""
    console = Console(file=sys.stderr)
    if not console.is_terminal:
        yield _lines(console)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("", total=None)

        def report(what: str, done: int, total: int) -> None:
            progress.update(bar, description=what, completed=done, total=total)

        yield report


def _lines(console: Console) -> Report:
    """Return a function that prints a line every LINE_EVERY_SECONDS: short work prints none."""
    told_at = time.monotonic()

    def report(what: str, done: int, total: int) -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= LINE_EVERY_SECONDS:
            told_at = time.monotonic()
            console.print(f"{what}: {done:,} of {total:,}", markup=False, highlight=False, soft_wrap=True)

    return report
