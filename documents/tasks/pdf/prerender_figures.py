"""What pre-rendering brought and cost in a period, for the maintainer."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, Sum

from documents.models import Prerender, Task
from documents.models.tasks import PRERENDER_USED


@dataclass(frozen=True, kw_only=True)
class PrerenderFigures:
    """The pre-renders that were settled in a period.

    ``ready_share`` is the share of the requests for a new PDF that found it ready, or None without any request.
    ``wasted_seconds`` is the computing time of those that were not used.
    """

    used: int
    unused: int
    gave_way: int
    failed: int
    ready_share: float | None
    wasted_seconds: float

    @property
    def is_empty(self) -> bool:
        """Whether none was settled."""
        return not (self.used or self.unused or self.gave_way or self.failed)


def since(begin_at: datetime) -> PrerenderFigures:
    """Return the figures of the period that began at a time."""
    settled = Prerender.objects.filter(changed_at__gt=begin_at, outcome__in=Prerender.COUNTED)
    counts = dict(settled.values_list("outcome").annotate(Count("pk")))
    return PrerenderFigures(
        used=counts.get(Prerender.Outcome.USED, 0),
        unused=counts.get(Prerender.Outcome.UNUSED, 0),
        gave_way=counts.get(Prerender.Outcome.CANCELLED, 0),
        failed=counts.get(Prerender.Outcome.FAILED, 0),
        ready_share=_ready_share(begin_at),
        wasted_seconds=settled.aggregate(total=Sum("wasted_seconds"))["total"] or 0.0,
    )


def _ready_share(begin_at: datetime) -> float | None:
    """Return the share of requests whose PDF was there; one that joined a pre-render in flight had to wait."""
    found = Q(task__routed_by=PRERENDER_USED, outcome=Prerender.Outcome.USED, changed_at__gt=begin_at)
    ready = Prerender.objects.filter(found).count()
    rendered = Task.objects.asked_for().filter(
        kind="pdf", status=Task.Status.SUCCEEDED, finished_at__gt=begin_at
    )
    requests = ready + rendered.count()
    return ready / requests if requests else None
