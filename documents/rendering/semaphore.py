"""As many renders at once as the machine has cores, whichever processes ask: one lock file a slot."""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from documents import exceptions
from documents.infrastructure import storage

POLL_INTERVAL_SECONDS = 0.02


@contextlib.contextmanager
def acquire_slot(folder: Path, count: int, *, deadline: float, tick: Callable[[], None]) -> Iterator[int]:
    """Hold one of ``count`` slots; the kernel frees it when this process dies.

    Waits until ``deadline`` (``time.monotonic``), calling ``tick`` meanwhile; raises RenderBusy after that.
    """
    with storage.translate_storage_errors():
        folder.mkdir(parents=True, exist_ok=True)
    while (held := _try_acquire(folder, count)) is None:
        if time.monotonic() > deadline:
            raise exceptions.RenderBusy(
                "Other PDFs are being made at the moment. Try again in a few seconds."
            )
        tick()
        time.sleep(POLL_INTERVAL_SECONDS)
    number, descriptor = held
    try:
        yield number
    finally:
        os.close(descriptor)


def _try_acquire(folder: Path, count: int) -> tuple[int, int] | None:
    for number in range(count):
        with storage.translate_storage_errors():
            descriptor = os.open(folder / f"slot-{number}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
        else:
            return number, descriptor
    return None
