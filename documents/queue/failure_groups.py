"""Failed tasks grouped by their fault, for the maintainer."""

import hashlib
import re
import threading
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import cachetools
from django.db.models import Count, Max
from django.utils import timezone

from documents.models import Task

MAX_TASKS = 2000
MONTH = timedelta(days=30)

# Text that differs between two cases of the same fault: ids, addresses, numbers, file names, quotations.
_VARIABLE_TEXT = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}", re.IGNORECASE), "<id>"),
    (re.compile(r"0x[0-9a-f]+|\b[0-9a-f]{16,}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"“[^”]*”|\"[^\"]*\"|'[^']*'"), "<text>"),
    (re.compile(r"(?<![\w<])/[\w./~-]+"), "<path>"),
    (re.compile(r"\d+(?:[.,]\d+)*"), "<n>"),
)


@dataclass(frozen=True, kw_only=True)
class FailureGroup:
    """Failed tasks with the same fault; ``key`` names it in addresses."""

    key: str
    kind: str
    title: str
    detail: str
    count: int
    first_at: datetime
    last_at: datetime
    task_ids: tuple[uuid.UUID, ...]


def recent_groups() -> list[FailureGroup]:
    """Return the groups of the last thirty days' failed tasks, largest first; of the newest MAX_TASKS tasks."""
    failed = Task.objects.filter(status=Task.Status.FAILED, finished_at__gt=timezone.now() - MONTH)
    totals = failed.aggregate(count=Count("pk"), newest=Max("finished_at"))
    return _group_newest(totals["count"], totals["newest"])


# A page asks every other second, and the groups change only with the number of failures or the newest one.
@cachetools.cached(cachetools.LRUCache(maxsize=1), lock=threading.Lock())
def _group_newest(count: int, newest: datetime | None) -> list[FailureGroup]:
    failed = Task.objects.filter(status=Task.Status.FAILED).order_by("-finished_at")
    return group_failures(failed.values_list("pk", "kind", "error", "finished_at")[: min(count, MAX_TASKS)])


def clear_cache() -> None:
    """Make the next call of ``recent_groups`` read the failures again."""
    _group_newest.cache_clear()


def normalise(detail: str) -> str:
    """Return an error's text with placeholders for the parts that differ between cases of the same fault."""
    for pattern, word in _VARIABLE_TEXT:
        detail = pattern.sub(word, detail)
    return " ".join(detail.split())[:300]


def group_failures(
    rows: Iterable[tuple[uuid.UUID, str, dict[str, object] | None, datetime | None]],
) -> list[FailureGroup]:
    """Return the groups of failed tasks, largest first; a row is (id, kind, error, time of the failure)."""
    cases_by_fault: dict[tuple[str, str, str], list[tuple[datetime, uuid.UUID]]] = {}
    for task_id, kind, error, at in rows:
        title, detail = str((error or {}).get("title", "")), str((error or {}).get("detail", ""))
        cases_by_fault.setdefault((kind, title, normalise(detail)), []).append(
            (at or timezone.now(), task_id)
        )
    groups = [_group(fault, cases) for fault, cases in cases_by_fault.items()]
    return sorted(groups, key=lambda group: (-group.count, group.key))


def _group(fault: tuple[str, str, str], cases: list[tuple[datetime, uuid.UUID]]) -> FailureGroup:
    kind, title, detail = fault
    return FailureGroup(
        key=hashlib.sha256("\n".join(fault).encode()).hexdigest()[:16],
        kind=kind,
        title=title,
        detail=detail,
        count=len(cases),
        first_at=min(at for at, _ in cases),
        last_at=max(at for at, _ in cases),
        task_ids=tuple(task_id for _, task_id in cases),
    )
