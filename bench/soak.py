"""The soak: mixed traffic for minutes on gunicorn and two clusters on PostgreSQL, watched for errors and growth."""

from collections import Counter
from collections.abc import Iterator
from statistics import median

from bench.clients import Bench
from bench.crowd import Report
from bench.queue import place
from bench.report import Row, milliseconds
from bench.site import Site, site, tally
from bench.watch import Sample, Watch, growth

PLANS, PEOPLE = 100, 24
THINK_SECONDS = (1.0, 4.0)
WARM_UP = 0.2
MAX_MB_A_MINUTE = 1.0
MIX = {
    "lists": 14,
    "detail": 14,
    "page": 8,
    "tasks": 8,
    "dashboard": 8,
    "change": 6,
    "pdf": 8,
    "queued": 8,
    "forced": 4,
    "unchanged": 14,
    "sign_in": 2,
    "upload": 3,
    "mistake": 3,
}


def soak(bench: Bench) -> Iterator[Row]:
    """Measure errors, the growth of memory, and the cost of ``/metrics`` under mixed traffic."""
    with place("PostgreSQL", PLANS, PEOPLE) as here, site(here, clusters=2, SPMS_MODE="auto") as running:
        counts = here.folder / "metrics"
        watch = Watch(running.roles, running.server.url, here.environment["DATABASE_URL"], counts)
        watch.start()
        report = running.crowd(seconds=bench.soak_seconds, think_seconds=THINK_SECONDS, mix=MIX)
        samples = watch.stop()
        yield _errors(running, report, bench.soak_seconds)
        yield _tasks(running, report)
    warm = [
        sample
        for sample in samples
        if WARM_UP * bench.soak_seconds <= sample.at_seconds <= bench.soak_seconds
    ]
    for role in ("web", "evaluator", "workers", "rendering processes", "PostgreSQL"):
        yield _memory(warm, role)
    yield _metrics_cost(warm)
    yield _connections(warm)


def _errors(running: Site, report: Report, seconds: float) -> Row:
    statuses = Counter(status // 100 for _, _, _, status in report.calls)
    logged = running.errors_logged()
    failed = statuses[5] + statuses[0] + len(report.faults)
    said = "; ".join([*report.faults[:2], *logged[:2]])
    return Row(
        criterion=f"{seconds / 60:g} minutes, {PEOPLE} users, {len(report.calls):,} requests: "
        "5xx, unanswered, unexpected; errors in the logs",
        goal="0; 0",
        measured=f"{statuses[5]}, {statuses[0]}, {len(report.faults)}; {len(logged)}"
        + (f" ({said})" if said else ""),
        is_met=not failed and not logged,
    )


def _tasks(running: Site, report: Report) -> Row:
    tasks = tally(running, report)
    return Row(
        criterion="tasks accepted and rows ended; lost, stored twice, not succeeded",
        goal="0, 0, 0",
        measured=f"{tasks.accepted:,} and {tasks.statuses.total():,} ({tasks.modes['inline']} inline, "
        f"{tasks.modes['queue']} in the queue); {tasks.lost}, {tasks.twice}, "
        f"{tasks.statuses.total() - tasks.statuses['succeeded']}",
        is_met=not tasks.lost and not tasks.twice and set(tasks.statuses) == {"succeeded"},
    )


def _memory(samples: list[Sample], role: str) -> Row:
    """Compare the larger of a role's two slopes with the goal; PostgreSQL has none, as its cache fills by design."""
    grown = growth(samples, role)
    return Row(
        criterion=(
            "growth of private memory per minute after the warm-up: " if role == "web" else "the same: "
        )
        + role,
        goal="" if role == "PostgreSQL" else f"< {MAX_MB_A_MINUTE:.0f} MB",
        measured=f"{grown.typical:+.2f} MB (least squares {grown.fitted:+.2f}; {grown.first:.0f} to "
        f"{grown.last:.0f} MB; {grown.processes} process{'es' * (grown.processes != 1)}, "
        f"steepest survivor {grown.steepest:+.2f})",
        is_met=None if role == "PostgreSQL" else max(grown.typical, grown.fitted) < MAX_MB_A_MINUTE,
    )


def _metrics_cost(samples: list[Sample]) -> Row:
    """Compare the CPU times of the merge; the wait of a client also depends on other work of the machine."""
    ends = _ends(samples)
    waits = [milliseconds(median(sample.metrics_seconds for sample in part)) for part in ends]
    merges = [median(sample.merge_seconds for sample in part) for part in ends]
    sizes = [median(sample.metrics_bytes for sample in part) / 1000 for part in ends]
    return Row(
        criterion="`/metrics`, first fifth and last: CPU time of its merge; size; client wait",
        goal="≤ 1.25 ×",
        measured=f"{milliseconds(merges[0])}, {milliseconds(merges[1])} ({merges[1] / merges[0]:.2f} ×); "
        f"{sizes[0]:.0f}, {sizes[1]:.0f} kB; {waits[0]}, {waits[1]}",
        is_met=merges[1] / merges[0] <= 1.25 and sizes[1] / sizes[0] <= 1.25,
    )


def _connections(samples: list[Sample]) -> Row:
    first, last = (max(sample.connections for sample in part) for part in _ends(samples))
    return Row(
        criterion="peak connections to PostgreSQL, first fifth and last",
        goal="no increase",
        measured=f"{first} to {last}",
        is_met=last <= first + 2,
    )


def _ends(samples: list[Sample]) -> tuple[list[Sample], list[Sample]]:
    """Return the first fifth and the last."""
    count = max(1, len(samples) // 5)
    return samples[:count], samples[-count:]
