"""The figures of pre-rendering that the dashboard and Prometheus show."""

from django.utils import timezone

from documents.models import Prerender, PrerenderState
from documents.operations.prerenders import conditions
from documents.tasks.pdf import prerender_figures
from metrics import instruments


def prerenders() -> instruments.Prerenders:
    """Return the PDFs made ahead since the installation and in the last day."""
    now, state = timezone.now(), PrerenderState.current()
    last_day = prerender_figures.since(now - conditions.DAY)
    counts = (last_day.used, last_day.unused, last_day.gave_way, last_day.failed)
    names = [outcome.value for outcome in Prerender.COUNTED]
    return instruments.Prerenders(
        outcomes={name: getattr(state, name) for name in names},
        wasted_seconds=state.wasted_seconds,
        last_day={} if last_day.is_empty else dict(zip(names, counts, strict=True)),
        wasted_seconds_last_day=last_day.wasted_seconds,
        ready_share=last_day.ready_share,
        stopped_until=conditions.stopped_until(state),
    )
