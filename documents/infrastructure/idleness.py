"""Whether this host is idle: only then may it do work that nobody waits for."""

from collections.abc import Callable
from pathlib import Path

import psutil
from django.conf import settings

from documents.infrastructure import data_dir_lock, slot_queue

MEASURED_SECONDS = 0.1
MAX_LOAD = 100  # such a limit cannot be exceeded


def find_obstacle(busy_percent: float | None = None) -> str:
    """Return why this host should do no such work now, or an empty text.

    ``busy_percent`` is the part of the computing time of all cores that is in use; None measures it, which takes
    MEASURED_SECONDS.
    """
    obstacles: tuple[tuple[str, Callable[[], bool]], ...] = (
        ("the render slots are needed", lambda: not has_room()),
        ("a backup is being made", lambda: data_dir_lock.is_backup_running(Path(settings.SPMS_DATA_DIR))),
        ("the cores are busy", lambda: _are_cores_busy(busy_percent)),
    )
    return next((reason for reason, applies in obstacles if applies()), "")


def has_room() -> bool:
    """Return True while other processes use or await fewer than half of the render slots of this host."""
    tickets = slot_queue.count_tickets(slot_queue.render_slots_folder(), of_others=True)
    return 2 * tickets < int(settings.SPMS_RENDER_SLOTS)


def _are_cores_busy(busy_percent: float | None) -> bool:
    if settings.SPMS_PRERENDER_MAX_LOAD >= MAX_LOAD:
        return False
    if busy_percent is None:
        busy_percent = psutil.cpu_percent(interval=MEASURED_SECONDS)
    return busy_percent > settings.SPMS_PRERENDER_MAX_LOAD
