"""The load of many: hundreds of signed-in people who browse and render, in auto mode and forced inline beside it."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import quantiles

from bench.clients import Bench
from bench.crowd import POLL, Report
from bench.queue import place
from bench.report import Row, milliseconds
from bench.site import DEADLINE_SECONDS, Tally, site, tally
from metrics.decisions import metric_names

PLANS = 250
THINK_SECONDS = (5.0, 15.0)
MAX_TIMED_OUT = 0.01
MIX = {"lists": 26, "detail": 28, "page": 14, "tasks": 10, "unchanged": 8, "change": 6, "pdf": 8}
# No limit on one user or on the queue may change the results.
SETTINGS = {
    "SPMS_API_THROTTLE_RATE": "off",
    "SPMS_EXPENSIVE_THROTTLE_RATE": "off",
    "SPMS_QUEUE_LIMIT": "100000",
    "SPMS_QUEUE_LIMIT_PER_USER": "100000",
}


@dataclass(frozen=True, kw_only=True)
class LoadRun:
    """The results of one run: of the clients, of the task rows, and of the server's own counters."""

    name: str
    report: Report
    tasks: Tally
    timed_out: float
    started: float
    rules: str


def users(bench: Bench) -> Iterator[Row]:
    """Measure the same load in auto mode with two clusters, and in forced inline mode without any."""
    for name, mode, clusters in (("auto", "auto", 2), ("forced inline", "inline", 0)):
        run = _run(bench, name, mode, clusters)
        yield _timeouts(bench, run)
        yield _tasks(run)
        yield _browsing(run)
        yield _rendering(run)


def _run(bench: Bench, name: str, mode: str, clusters: int) -> LoadRun:
    with (
        place("PostgreSQL", PLANS, bench.users) as here,
        site(here, clusters=clusters, SPMS_MODE=mode, **SETTINGS) as running,
    ):
        report = running.crowd(seconds=bench.users_seconds, think_seconds=THINK_SECONDS, mix=MIX)
        counted = running.counters()
        prefix = f"{metric_names.TASKS_ROUTED} "
        return LoadRun(
            name=name,
            report=report,
            tasks=tally(running, report),
            timed_out=sum(n for key, n in counted.items() if key.startswith(metric_names.REQUESTS_TIMED_OUT)),
            started=counted[metric_names.REQUESTS_STARTED],
            rules=", ".join(
                f"{key.removeprefix(prefix)} {n:.0f}"
                for key, n in counted.items()
                if key.startswith(prefix) and n
            ),
        )


def _timeouts(bench: Bench, run: LoadRun) -> Row:
    calls = run.report.calls
    late = sum(status in {0, 504} or taken > DEADLINE_SECONDS for _, _, taken, status in calls)
    failed = sum(status >= 500 and status != 504 for _, _, _, status in calls)
    polls = sum(name == POLL for name, _, _, _ in calls)
    share, own = late / len(calls), run.timed_out / max(1, run.started)
    return Row(
        criterion=f"{run.name}, {bench.users_seconds:.0f} s, {len(calls) - polls:,} requests "
        f"and {polls:,} polls: timeouts seen by clients and by the server; other 5xx, unexpected",
        goal="< 1 %; 0" if run.name == "auto" else "",
        measured=f"{share:.2%} and {own:.2%}; {failed}, {len(run.report.faults)}"
        + (f" ({run.report.faults[0]})" if run.report.faults else ""),
        is_met=max(share, own) < MAX_TIMED_OUT and not failed if run.name == "auto" else None,
    )


def _tasks(run: LoadRun) -> Row:
    tasks = run.tasks
    return Row(
        criterion=f"{run.name}: tasks accepted; lost, stored twice, not succeeded",
        goal="0, 0, 0" if run.name == "auto" else "",
        measured=f"{tasks.accepted:,} ({tasks.modes['inline']} inline, {tasks.modes['queue']} in the queue: "
        f"{run.rules}); {tasks.lost}, {tasks.twice}, {tasks.statuses.total() - tasks.statuses['succeeded']}",
        is_met=not tasks.lost and not tasks.twice if run.name == "auto" else None,
    )


def _browsing(run: LoadRun) -> Row:
    taken = [taken for name, _, taken, _ in run.report.calls if "pdf" not in name and name != POLL]
    return Row(criterion=f"{run.name}: browsing, p50, p95, p99", measured=percentiles(taken))


def _rendering(run: LoadRun) -> Row:
    posts = [taken for name, _, taken, _ in run.report.calls if name == "POST pdf"]
    return Row(
        criterion=f"{run.name}: `POST …/pdf/`, p50, p95, p99; until the PDF arrives",
        measured=f"{percentiles(posts)}; {percentiles(run.report.ready_seconds)}",
    )


def percentiles(seconds: list[float]) -> str:
    """Return p50, p95 and p99 as a text."""
    if len(seconds) < 2:
        return "too few"
    cuts = quantiles(seconds, n=100, method="inclusive")
    return ", ".join(milliseconds(cuts[percent - 1]) for percent in (50, 95, 99))
