"""The dashboard's sentences and rows, made of the mode and the last evaluation; pure."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from metrics.decisions.criteria import Unit
from metrics.decisions.threshold_state import ReadingVerdict, State, show
from metrics.evaluation.report import ThresholdEntry
from metrics.flag import Flag

STALE = timedelta(seconds=60)
STATES = {
    "firing": "over its limit",
    "pending": "crossed, not for long enough yet",
    "inactive": "within its limit",
    "no_data": "not known",
    "stale": "too old",
}

# Why a value over its limit does not count.
VERDICTS = {
    ReadingVerdict.TOO_FEW_SAMPLES: "over its limit, but too few samples to tell",
    ReadingVerdict.BORDERLINE: "over its limit, but perhaps by chance",
}

# The four words of the evaluation table.
STATUS = {
    "firing": "crossed",
    "pending": "watch",
    "inactive": "met",
    "no_data": "not known",
    "stale": "not known",
}
NEAR = 0.8
# Rows change places only when a value enters another of these bands of its limit.
BANDS = (0.25, 0.5, NEAR, 1.0)


@dataclass(frozen=True, kw_only=True)
class ThresholdRow:
    """A row of the table of thresholds; ``used`` is the value as a share of the limit, 1 when it is reached."""

    name: str
    title: str
    description: str
    limit: str
    now: str
    shadow: str
    headroom: str
    state: str
    state_name: str
    state_text: str
    status: str
    since: datetime | None
    routes_to_queue: bool
    reason: str
    used: float | None
    spark: str


def title(name: str) -> str:
    """Return the title of a threshold."""
    words = name.replace("_", " ")
    if words.startswith(("p95 ", "pdf ")):
        return words.replace("pdf ", "PDF ")
    return words.capitalize()


def rows(entries: Sequence[ThresholdEntry], sparks: Mapping[str, str]) -> list[ThresholdRow]:
    """Return the rows: limits that move work first, each group by nearness in bands, then as in the limits file."""
    ordered = sorted(entries, key=lambda entry: (not entry.routes_to_queue, -_band(entry)))
    return [_row(entry, sparks.get(entry.name, "")) for entry in ordered]


def _band(entry: ThresholdEntry) -> int:
    return len(BANDS) + 1 if entry.state == State.FIRING else bisect_right(BANDS, share_used(entry))


def _row(entry: ThresholdEntry, spark: str) -> ThresholdRow:
    unit, value = entry.unit, measured(entry)
    return ThresholdRow(
        name=entry.name,
        title=title(entry.name),
        description=entry.description,
        limit=show(entry.limit, unit),
        now=figure(value, unit),
        shadow=figure(entry.shadow, unit),
        headroom=headroom(entry.headroom),
        state=entry.state,
        state_name=entry.state.replace("_", " "),
        state_text=_state_text(entry),
        status=status(entry),
        since=entry.since,
        routes_to_queue=entry.routes_to_queue,
        reason=entry.reason,
        used=None if value is None else value / entry.limit,
        spark=spark,
    )


def _state_text(entry: ThresholdEntry) -> str:
    if entry.state == State.INACTIVE and entry.verdict in VERDICTS and share_used(entry) > 1:
        return VERDICTS[entry.verdict]
    return STATES[entry.state]


def measured(entry: ThresholdEntry) -> float | None:
    """Return the value, or None where it is the time of nothing: no sample, no duration."""
    is_time_of_nothing = entry.unit == Unit.SECONDS and not entry.value and not entry.samples
    return None if is_time_of_nothing else entry.value


def figure(value: float | None, unit: Unit) -> str:
    """Return a measured value with its unit and, below 10, two decimals; a dash when it is not known."""
    if value is None:
        return "–"
    if unit not in {Unit.SECONDS, Unit.SHARE} or value == 0:
        return show(value, unit)
    number = value * 100 if unit == Unit.SHARE else value
    if number < 0.01:
        return f"< 0.01 {unit}"
    return f"{number:.{2 if number < 9.995 else 1 if number < 99.95 else 0}f} {unit}"


def status(entry: ThresholdEntry) -> str:
    """Return one of four words: met, watch (crossed only just now, or nearly crossed), crossed, not known."""
    if entry.state == State.INACTIVE and share_used(entry) > NEAR:
        return "watch"
    return STATUS[entry.state]


def headroom(factor: float | None) -> str:
    """Return the headroom as a text: how many times the present traffic would keep the limit."""
    if factor is None:
        return "–"
    return "> 100 ×" if factor >= 100 else f"{factor:.2g} ×" if factor < 10 else f"{factor:.0f} ×"


def explanation(
    flag: Flag,
    entries: Sequence[ThresholdEntry],
    was: Mapping[str, str],
    *,
    cause: str = "",
    hold_multiplier: float = 1.0,
) -> str:
    """Return why the mode is in force and what would change it, as the end of "Queue since 10:15 …".

    ``was``: the values at the switch by the names of the thresholds, as texts. ``cause``: the reason of the last
    decision as a clause; rows of older versions have none, and the whole reason is shown. ``hold_multiplier``
    lengthens the time until the return.
    """
    if flag.setting != "auto":
        return f", because {flag.reason}."
    if flag.effective == "inline":
        return f": {_why_inline(entries)}"
    why = _why_queue(entries, was, hold_multiplier)
    if why:
        return f", because {why}."
    return f", {cause}." if cause else f": {flag.reason}."


def _why_inline(entries: Sequence[ThresholdEntry]) -> str:
    nearest = nearest_of([entry for entry in entries if entry.verdict != ReadingVerdict.TOO_FEW_SAMPLES])
    if any(is_needed(entry) for entry in entries):
        return "a limit that moves work is crossed, but the queue is not used."
    if nearest is None:
        amount = "nothing" if nearest_of(entries) is None else "too little"
        return f"no limit that moves work is crossed, but {amount} has been measured so far."
    return (
        "no limit that moves work is crossed. "
        f"The nearest is {_noun(nearest.name)} at {share_used(nearest) * 100:.0f} % of {_limit(nearest)}."
    )


def reason_and_end(text: str, *, given: str | None, until: str | None) -> dict[str, Any]:
    """Return the reason of a change, and the time (ISO 8601) until which it holds, if any.

    ``text`` is the reason in the audit trail, which names that time, too. ``given`` is the reason that the operator
    typed; changes of older versions do not have it, and their text is shown as it is.
    """
    if given is None or until is None:
        return {"reason": text, "until": None}
    return {"reason": given, "until": datetime.fromisoformat(until)}


def is_needed(entry: ThresholdEntry) -> bool:
    """Return True if this threshold sends work to the queue."""
    return bool(entry.state == State.FIRING and entry.routes_to_queue)


def is_any_firing(entries: Sequence[ThresholdEntry]) -> bool:
    """Return True if any threshold sends work to the queue."""
    return any(is_needed(entry) for entry in entries)


def share_used(entry: ThresholdEntry) -> float:
    """Return the value as a share of the limit: 1 when it is reached, 0 when nothing is known."""
    return float((entry.value or 0) / entry.limit)


def _why_queue(entries: Sequence[ThresholdEntry], was: Mapping[str, str], hold_multiplier: float) -> str:
    return "; ".join(_why_one(entry, was, hold_multiplier) for entry in entries if is_needed(entry))


def _why_one(entry: ThresholdEntry, was: Mapping[str, str], hold_multiplier: float) -> str:
    unit, name = entry.unit, _noun(entry.name)
    then = f"{name} was {was[entry.name]}" if entry.name in was else f"{name} is over its limit"
    inline = entry.shadow if entry.shadow is not None else entry.value
    is_shadow = "would be {} inline now" if entry.shadow is not None else "is {} now"
    would = is_shadow.format(show(inline, unit)) if inline is not None else "is not known now"
    back = show(entry.limit * entry.recover_below, unit)
    keep = round(entry.keep_seconds * hold_multiplier / 60)
    return f"{then}, limit {_limit(entry)}; it {would}; back to inline when it stays below {back} for {keep} minutes"


def _noun(name: str) -> str:
    """Return the title of a threshold in the middle of a sentence."""
    words = title(name)
    return words if words.startswith("PDF") else words[0].lower() + words[1:]


def nearest_of(entries: Sequence[ThresholdEntry]) -> ThresholdEntry | None:
    """Return the threshold nearest to its limit, of those that move work; None if none has a value."""
    candidates = [entry for entry in entries if entry.routes_to_queue and entry.value is not None]
    return max(candidates, key=share_used, default=None)


def _limit(entry: ThresholdEntry) -> str:
    return show(entry.limit, entry.unit)


def freshness(evaluated_at: datetime | None, now: datetime) -> tuple[bool, str]:
    """Return whether the figures are fresh, and otherwise what is wrong with them."""
    if evaluated_at is None:
        return False, "Nothing has been evaluated yet."
    age = now - evaluated_at
    if age < STALE:
        return True, ""
    minutes = round(age.total_seconds() / 60)
    return False, f"The last evaluation was {minutes} min ago; the last mode stays in force."


def sparkline_path(
    points: Sequence[float | None], limit: float, *, width: int = 120, height: int = 28
) -> str:
    """Return the ``d`` of an SVG path through the points, scaled so that the limit lies at a quarter of the height."""
    if sum(point is not None for point in points) < 2:
        return ""
    top = max(limit * 4 / 3, *(point for point in points if point is not None))
    step, path, pen = width / max(1, len(points) - 1), [], "M"
    for number, point in enumerate(points):
        if point is None:
            pen = "M"
            continue
        path.append(f"{pen}{number * step:.1f} {height - point / top * height:.1f}")
        pen = "L"
    return "".join(path)
