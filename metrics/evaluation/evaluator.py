"""The evaluator: take a snapshot, read, assess, set the mode; one at a time across processes and hosts."""

import dataclasses
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from metrics import flag, instruments
from metrics.collection import activity, snapshots, web_processes
from metrics.collection.feedback import complaints
from metrics.collection.sources import CircuitBreaker, PrometheusSource, SnapshotSource, Source
from metrics.decisions import metric_names
from metrics.decisions.assessment import EXTENDED_WINDOW_FACTOR, Assessment, Observation, assess
from metrics.decisions.inline_model import Arrival
from metrics.decisions.limits_file import LimitsError, LimitsFile, load, load_text
from metrics.decisions.switch import SwitchState
from metrics.decisions.threshold_state import AlertState, State
from metrics.decisions.windows import Window
from metrics.durations import Epoch
from metrics.evaluation import capacity, dead_hosts, forecasts, report, series, thinning
from metrics.models import Evaluation, ModeChange, ModeState

LEASE = timedelta(seconds=40)
WORK_SECONDS = 300.0
MAX_OTHERS = 20_000
# Keys that older versions have stored in ModeState.course, with their present names.
RENAMED_KEYS = {"hold_factor": "hold_multiplier"}
logger = logging.getLogger(__name__)


def source() -> Source:
    """Return the source of windows that the settings name."""
    return (
        CircuitBreaker(PrometheusSource(settings.PROMETHEUS_URL))
        if settings.PROMETHEUS_URL
        else SnapshotSource()
    )


def evaluator_id() -> str:
    """Return the name of this evaluator: host and process id."""
    return f"{web_processes.host_name()}:{os.getpid()}"


def tick(read_from: Source, *, now: Epoch | None = None) -> bool:
    """Evaluate once and return True; return False if another evaluator holds the lease.

    The evaluator of every host records a snapshot, also without the lease. Raises LimitsError and DatabaseError.
    """
    now = clock() if now is None else now
    snapshots.record(web_processes.host_name(), now)
    if not _lease(now):
        return False
    flag.end_expired_override()
    state = ModeState.objects.get(pk=1)
    limits = _limits(state)
    observation = observe(limits, read_from, now)
    assessment = assess(limits, observation, alert_states_from(state), switch_state_from(state))
    _store(state, assessment, limits, read_from.name, observation)
    instruments.EVALUATIONS.labels("done").inc()
    return True


def clock() -> Epoch:
    """Return the time now by the clock of the database: snapshots and the lease are compared between hosts."""
    ModeState.objects.get_or_create(pk=1)
    return ModeState.objects.annotate(read_at=Now()).get(pk=1).read_at.timestamp()


def prune(now: Epoch) -> None:
    """Remove snapshots and evaluations that no window or chart needs any more."""
    snapshots.downsample(now)
    at = datetime.fromtimestamp(now, UTC)
    Evaluation.objects.filter(at__lt=at - timedelta(days=90)).delete()
    thinning.thin(at)
    dead_hosts.remove(at)


def _lease(now: Epoch) -> bool:
    """Take or renew the lease; one that ends impossibly late was written before the clock jumped."""
    at, me = datetime.fromtimestamp(now, UTC), evaluator_id()
    ModeState.objects.get_or_create(pk=1)
    free = Q(lease_until=None) | Q(lease_until__lt=at) | Q(lease_until__gt=at + 2 * LEASE) | Q(holder=me)
    return bool(ModeState.objects.filter(free, pk=1).update(holder=me, lease_until=at + LEASE))


def _limits(state: ModeState) -> LimitsFile:
    """Return the limits of the file, or the last valid ones if the file is invalid now.

    Raises LimitsError if there are no valid ones.
    """
    path = Path(settings.SPMS_THRESHOLDS)
    try:
        limits = load(path)
    except LimitsError as error:
        if not state.limits_text:
            raise
        if str(error)[:500] != state.limits_error:
            logger.error("%s; the last valid limits stay in force", error)  # noqa: TRY400
        ModeState.objects.filter(pk=1).update(limits_error=str(error)[:500])
        instruments.EVALUATIONS.labels("bad_limits").inc()
        return load_text(state.limits_text)
    text = path.read_text()
    if text != state.limits_text or state.limits_error:
        loaded = {"limits_text": text, "limits_error": "", "limits_loaded_at": timezone.now()}
        ModeState.objects.filter(pk=1).update(**loaded)
    return limits


def observe(limits: LimitsFile, read_from: Source, now: Epoch) -> Observation:
    """Return everything that an evaluation reads."""
    facts = instruments.provider()
    gauges = {
        **facts.gauges(),
        metric_names.USERS_ACTIVE: float(activity.active_users()),
        metric_names.COMPLAINTS_LAST_30D: float(complaints()),
    }
    lengths = {threshold.window_seconds for threshold in limits.thresholds}
    lengths |= {length * EXTENDED_WINDOW_FACTOR for length in lengths if length <= 3600}
    lengths |= {WORK_SECONDS, WORK_SECONDS * EXTENDED_WINDOW_FACTOR}
    windows = {length: _with(read_from.window(length, now), gauges, now) for length in lengths}
    hosts = capacity.live_hosts()
    pdfs = facts.arrivals(now - EXTENDED_WINDOW_FACTOR * WORK_SECONDS)
    return Observation(
        now=now,
        windows=windows,
        work=sorted([*pdfs, *_spread_other_requests(windows, now)]),
        work_seconds=WORK_SECONDS,
        is_queued=flag.mode() == "queue" or facts.any_queued(now - WORK_SECONDS),
        machine=capacity.server_model(hosts),
        queue=facts.queue(),
        hosts=hosts,
    )


def _with(window: Window | None, gauges: Mapping[str, float], now: Epoch) -> Window:
    """Return a window with the gauges, which are known even if the source is unreachable."""
    if window is None:
        return Window(at=now, gauges=gauges)
    return dataclasses.replace(window, gauges=gauges)


def _spread_other_requests(windows: Mapping[float, Window], now: Epoch) -> list[Arrival]:
    """Return the requests without a PDF, spread evenly over the last five minutes and the ten before."""
    counts = [
        _other_requests(windows[seconds]) for seconds in (WORK_SECONDS, WORK_SECONDS * EXTENDED_WINDOW_FACTOR)
    ]
    (recent, recent_seconds), (every, every_seconds) = counts
    earlier = _spread(
        every - recent,
        every_seconds - recent_seconds,
        now - WORK_SECONDS * EXTENDED_WINDOW_FACTOR,
        now - WORK_SECONDS,
    )
    return [*earlier, *_spread(recent, recent_seconds, now - WORK_SECONDS, now)]


def _other_requests(window: Window) -> tuple[float, float]:
    histogram = window.histograms.get(snapshots.OTHER_REQUESTS)
    return (histogram.count, histogram.sum_seconds) if histogram else (0.0, 0.0)


def _spread(number: float, sum_seconds: float, begin: float, end: float) -> list[Arrival]:
    count = min(MAX_OTHERS, round(number))
    if count < 1:
        return []
    each = max(0.0, sum_seconds) / number
    return [Arrival(begin + (end - begin) * (n + 0.5) / count, each, False) for n in range(count)]


def alert_states_from(state: ModeState) -> dict[str, AlertState]:
    """Return the stored state of each threshold; states that cannot be read are left out."""
    alert_states = {}
    for name, values in state.memories.items():
        try:
            alert_states[name] = AlertState(**{**values, "phase": State(values["phase"])})
        except (TypeError, ValueError, KeyError):
            logger.warning("the stored state of %s cannot be read, so it starts again", name)
    return alert_states


def switch_state_from(state: ModeState) -> SwitchState:
    """Return the stored state of the switch, also of older versions."""
    values = {RENAMED_KEYS.get(key, key): value for key, value in state.course.items()}
    try:
        return SwitchState(**values)
    except TypeError:
        return SwitchState()


def _store(
    state: ModeState, assessment: Assessment, limits: LimitsFile, source_name: str, observation: Observation
) -> None:
    now, at = observation.now, datetime.fromtimestamp(observation.now, UTC)
    switch_state, stored = assessment.decision.switch_state, switch_state_from(state)
    before = flag.from_state(state)
    entries = report.build_report(
        assessment, observation.machine, forecasts.seconds_until(assessment, at), now
    )
    values_for_charts = report.values(assessment) | series.build_series(observation)
    evidence = {
        "limits": limits.digest,
        "source": source_name,
        "thresholds": [entry.to_json() for entry in entries],
    }
    is_change = switch_state.mode != stored.mode
    acted = replace_mode(switch_state, stored) if limits.dry_run else switch_state
    values = {
        "memories": {
            evaluation.threshold.name: asdict(evaluation.alert_state) for evaluation in assessment.judged
        },
        "course": asdict(acted),
        "report": {
            **evidence,
            "dry_run": limits.dry_run,
            "cause": assessment.decision.cause[:500],
            "numbers": series.numbers(observation),
            "hosts": capacity.describe(
                observation.hosts, instruments.provider().pdfs_by_host(now - WORK_SECONDS)
            ),
        },
        "evaluated_at": at,
        "alarm": assessment.decision.alarm[:500],
        "reason": assessment.decision.reason[:500],
        "mode": acted.mode,
    }
    if acted.mode != state.mode:
        values["since"] = at
    with transaction.atomic():
        ModeState.objects.filter(pk=1).update(**values)
        Evaluation.objects.create(at=at, mode=before.effective, values=values_for_charts)
        if is_change:
            change = ModeChange.objects.create(
                at=at,
                before=stored.mode,
                after=switch_state.mode,
                setting=before.setting,
                actor="evaluator",
                reason=assessment.decision.reason[:500],
                evidence=evidence,
                is_dry_run=limits.dry_run,
            )
            flag.notify_change(change)
    if is_change:
        logger.warning("mode%s: %s", " (dry run)" if limits.dry_run else "", assessment.decision.reason)
    flag.clear_cache()


def replace_mode(decided: SwitchState, current: SwitchState) -> SwitchState:
    """Return the state of the switch after a dry run, which does not change the mode."""
    return dataclasses.replace(
        decided, mode=current.mode, since=current.since, returned_at=current.returned_at
    )
