"""The criteria: their meanings, their units, and the metrics that their values come from."""

from dataclasses import dataclass
from enum import StrEnum

from metrics.decisions import metric_names

# Bounds of every histogram of durations, in seconds. A limit must be one of them, so that "over the limit" is
# exact. 0.7, 0.75 and 0.8 of the usual limits are bounds, too, and there are bounds above each limit.
DURATION_BUCKETS = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.4, 1.5, 1.6, 2.0, 2.5, 3.0, 3.5, 3.75, 4.0, 5.0),
    *(6.0, 7.0, 7.5, 8.0, 10.0, 12.0, 15.0, 20.0, 24.0, 30.0, 45.0, 60.0, 120.0, 300.0, 600.0),
)


class Unit(StrEnum):
    """The unit of a limit."""

    SECONDS = "s"
    SHARE = "%"
    COUNT = ""
    PER_DAY = "/day"
    PER_MONTH = "/month"


class Statistic(StrEnum):
    """How a value is calculated."""

    QUANTILE = "quantile"  # of a histogram of durations
    MEAN = "mean"  # of a histogram of durations
    SHARE_OVER = "share over"  # of a histogram's samples over a bound
    COUNT_OVER = "count over"  # of a histogram's samples over a bound
    RATIO = "ratio"  # of two counters
    GAUGE = "gauge"  # the current number, from rows


@dataclass(frozen=True, kw_only=True)
class Criterion:
    """A figure that can have a limit.

    ``metrics`` names the histogram, the two counters, or the gauge. ``is_latency``: while work is queued, the
    value is the one that the same requests would have had inline. ``is_computed``: only the evaluator can compute
    the value, from the requests themselves, so it has no metric.
    """

    name: str
    description: str
    unit: Unit
    kind: Statistic
    metrics: tuple[str, ...] = ()
    quantile: float = 0.0
    is_latency: bool = False
    is_computed: bool = False

    @property
    def has_over(self) -> bool:
        """Whether a limit needs the bound above which a sample counts."""
        return self.kind in {Statistic.SHARE_OVER, Statistic.COUNT_OVER}


CRITERIA = {
    criterion.name: criterion
    for criterion in (
        Criterion(
            name="p95_response_time",
            description="95 of 100 requests are answered within this time",
            unit=Unit.SECONDS,
            kind=Statistic.QUANTILE,
            metrics=(metric_names.REQUEST_SECONDS,),
            quantile=0.95,
            is_latency=True,
        ),
        Criterion(
            name="average_response_time",
            description="mean time until a request is answered",
            unit=Unit.SECONDS,
            kind=Statistic.MEAN,
            metrics=(metric_names.REQUEST_SECONDS,),
            is_latency=True,
        ),
        Criterion(
            name="request_timeout_rate",
            description="share of requests past the deadline, cut off with their process, or given up by the client",
            unit=Unit.SHARE,
            kind=Statistic.RATIO,
            metrics=(metric_names.REQUESTS_TIMED_OUT, metric_names.REQUESTS_STARTED),
            is_latency=True,
        ),
        Criterion(
            name="error_rate",
            description="share of requests answered with 500 or above, deadlines excepted",
            unit=Unit.SHARE,
            kind=Statistic.RATIO,
            metrics=(metric_names.REQUESTS_FAILED, metric_names.REQUESTS_STARTED),
        ),
        Criterion(
            name="pdf_generation_time",
            description="95 of 100 PDFs are rendered within this time",
            unit=Unit.SECONDS,
            kind=Statistic.QUANTILE,
            metrics=(metric_names.RENDER_SECONDS,),
            quantile=0.95,
        ),
        Criterion(
            name="long_operations",
            description="renders that took longer than `over`",
            unit=Unit.PER_DAY,
            kind=Statistic.COUNT_OVER,
            metrics=(metric_names.RENDER_SECONDS,),
        ),
        Criterion(
            name="users_who_waited",
            description="people who waited longer than ten seconds for a PDF",
            unit=Unit.PER_DAY,
            kind=Statistic.GAUGE,
            metrics=(metric_names.USERS_WAITED_LAST_24H,),
        ),
        Criterion(
            name="concurrent_users",
            description="people active in the last five minutes",
            unit=Unit.COUNT,
            kind=Statistic.GAUGE,
            metrics=(metric_names.USERS_ACTIVE,),
        ),
        Criterion(
            name="pdf_generations",
            description="PDFs rendered in the last 24 hours",
            unit=Unit.PER_DAY,
            kind=Statistic.GAUGE,
            metrics=(metric_names.PDFS_LAST_24H,),
        ),
        Criterion(
            name="user_complaints",
            description="complaints of users in the last 30 days",
            unit=Unit.PER_MONTH,
            kind=Statistic.GAUGE,
            metrics=(metric_names.COMPLAINTS_LAST_30D,),
        ),
        Criterion(
            name="web_thread_wait",
            description="share of requests that waited longer than `over` for a free web thread (X-Request-Start)",
            unit=Unit.SHARE,
            kind=Statistic.SHARE_OVER,
            metrics=(metric_names.REQUEST_QUEUE_SECONDS,),
        ),
        Criterion(
            name="offered_load",
            description="work that came in, as a share of what the web threads can do inline",
            unit=Unit.SHARE,
            kind=Statistic.GAUGE,
            is_computed=True,
        ),
    )
}
