"""One evaluation, from the observation to the decision; pure, so that recorded days can be replayed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from metrics.decisions.criteria import Statistic
from metrics.decisions.hosts import Host
from metrics.decisions.inline_model import Arrival, ServerModel, SimulatedLatencies, simulate
from metrics.decisions.limits_file import LimitsFile, Threshold
from metrics.decisions.statistics import deviation_of
from metrics.decisions.switch import Decision, Queue, SwitchState, decide
from metrics.decisions.threshold_state import AlertState, Reading, ReadingVerdict, ThresholdEvaluation, judge
from metrics.decisions.windows import Window, reading_for
from metrics.durations import Epoch

OFFERED_LOAD = "offered_load"


# A firing threshold with too few samples in its window is evaluated over a window longer by this factor.
EXTENDED_WINDOW_FACTOR = 3


@dataclass(frozen=True, kw_only=True)
class Observation:
    """Everything that an evaluation reads.

    ``windows`` has a window for each length in seconds that a threshold names, and for ``EXTENDED_WINDOW_FACTOR``
    times that length. ``work`` holds the requests of the last ``EXTENDED_WINDOW_FACTOR * work_seconds`` in order of
    arrival. ``is_queued`` is True if any of the last ``work_seconds`` went to the queue. ``hosts`` are those that
    report themselves.
    """

    now: Epoch
    windows: Mapping[float, Window | None]
    work: Sequence[Arrival]
    work_seconds: float
    is_queued: bool
    machine: ServerModel
    queue: Queue
    hosts: Sequence[Host] = ()

    def recent(self) -> list[Arrival]:
        """Return the requests of the last ``work_seconds``."""
        return [arrival for arrival in self.work if arrival.arrived_at > self.now - self.work_seconds]


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """The results of an evaluation: each threshold, the shadow and its readings, the work, and the decision."""

    judged: tuple[ThresholdEvaluation, ...]
    shadow: SimulatedLatencies | None
    shadows: Mapping[str, Reading]
    work: Sequence[Arrival]
    decision: Decision


def assess(
    limits: LimitsFile,
    observation: Observation,
    alert_states: Mapping[str, AlertState],
    switch_state: SwitchState,
) -> Assessment:
    """Evaluate every threshold and decide about the mode."""
    work = observation.recent()
    recent = simulate(work, observation.machine)
    readers = [_Reader(limits, observation, recent), _Reader(limits, observation, None, longer=True)]
    judged = tuple(
        _judge(
            threshold,
            readers,
            alert_states.get(threshold.name, AlertState(since=observation.now)),
            observation.now,
            switch_state,
        )
        for threshold in limits.thresholds
    )
    decision = decide(judged, switch_state, observation.queue, observation.now)
    shadows = readers[0].shadows
    return Assessment(judged=judged, shadow=recent, shadows=shadows, work=work, decision=decision)


def _judge(
    threshold: Threshold,
    readers: Sequence["_Reader"],
    alert_state: AlertState,
    now: Epoch,
    switch_state: SwitchState,
) -> ThresholdEvaluation:
    evaluation = judge(
        threshold, readers[0].read(threshold), alert_state, now, hold_multiplier=switch_state.hold_multiplier
    )
    if evaluation.verdict == ReadingVerdict.TOO_FEW_SAMPLES and evaluation.is_firing:
        reading = readers[1].read(threshold)
        return judge(threshold, reading, alert_state, now, hold_multiplier=switch_state.hold_multiplier)
    return evaluation


class _Reader:
    """Reads thresholds over their window, or one ``EXTENDED_WINDOW_FACTOR`` times as long."""

    def __init__(
        self,
        limits: LimitsFile,
        observation: Observation,
        shadow: SimulatedLatencies | None,
        *,
        longer: bool = False,
    ) -> None:
        self._limits, self._observation, self._longer = limits, observation, longer
        self._shadow = shadow

    def read(self, threshold: Threshold) -> Reading:
        """Return the reading of a threshold: that of the shadow for latencies while work is queued."""
        observation = self._observation
        window = observation.windows.get(
            threshold.window_seconds * (EXTENDED_WINDOW_FACTOR if self._longer else 1)
        )
        if threshold.name == OFFERED_LOAD:
            return Reading(value=offered_load(observation), at=window.at) if window else Reading(value=None)
        observed = reading_for(threshold, window)
        # While the source is unreachable, the other requests are unknown, too.
        if not (threshold.criterion.is_latency and observation.is_queued) or observed.value is None:
            return observed
        reading = self.shadows.get(threshold.name)
        return replace(reading, at=observed.at) if reading else observed

    @cached_property
    def shadows(self) -> dict[str, Reading]:
        """The readings that the latency thresholds would have inline."""
        if self._shadow is None and self._longer:
            self._shadow = simulate(self._observation.work, self._observation.machine)
        return {} if self._shadow is None else _readings(self._limits, self._shadow, self._observation)


def _readings(
    limits: LimitsFile, simulated: SimulatedLatencies, observation: Observation
) -> dict[str, Reading]:
    spread = deviation_of(simulated.latencies)
    return {
        threshold.name: Reading(
            value=value,
            samples=simulated.requests,
            events_over=simulated.over_deadline
            if threshold.criterion.kind == Statistic.RATIO
            else simulated.count_over(threshold.limit),
            deviation=spread,
            at=observation.now,
        )
        for threshold in limits.thresholds
        if (value := simulated.value_of(threshold.name)) is not None
    }


def offered_load(observation: Observation) -> float:
    """Return the requested work as a share of the machine's inline capacity; 1 is all of it."""
    every = sum(arrival.service_seconds for arrival in observation.recent())
    return max(every / observation.machine.web_threads / observation.work_seconds, render_load(observation))


def render_load(observation: Observation) -> float:
    """Return the requested renders as a share of what the render slots can do; 1 is all of it."""
    renders = sum(arrival.service_seconds for arrival in observation.recent() if arrival.is_pdf)
    machine = observation.machine
    return renders / min(machine.render_slots, machine.web_threads) / observation.work_seconds
