"""The dashboard in sentences and rows: from the flag and the last evaluation to what a maintainer reads; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from metrics.criteria import Unit
from metrics.evaluate import show
from metrics.flag import Flag

STALE = timedelta(seconds=60)
STATES = {
    "firing": "over its limit",
    "pending": "crossed, not for long enough yet",
    "inactive": "within its limit",
    "no_data": "not known",
    "stale": "too old",
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """A threshold as the table shows it; ``used`` is the share of the limit that is used, 0 to 1 and above."""

    name: str
    title: str
    description: str
    limit: str
    now: str
    shadow: str
    headroom: str
    state: str
    state_text: str
    since: datetime | None
    routes_to_queue: bool
    reason: str
    used: float | None
    spark: str


def title(name: str) -> str:
    """Return a threshold's name to read."""
    words = name.replace("_", " ")
    if words.startswith(("p95 ", "pdf ")):
        return words.replace("pdf ", "PDF ")
    return words.capitalize()


def rows(entries: Sequence[Mapping[str, Any]], sparks: Mapping[str, str]) -> list[Row]:
    """Return the table, what fires first, then by how much of the limit is used."""
    found = [_row(entry, sparks.get(entry["name"], "")) for entry in entries]
    order = {"firing": 0, "pending": 1}
    return sorted(found, key=lambda row: (order.get(row.state, 2), -(row.used or 0)))


def _row(entry: Mapping[str, Any], spark: str) -> Row:
    unit, value = Unit(entry["unit"]), entry["value"]
    return Row(
        name=entry["name"],
        title=title(entry["name"]),
        description=entry["description"],
        limit=show(entry["limit"], unit),
        now="–" if value is None else show(value, unit),
        shadow="–" if entry["shadow"] is None else show(entry["shadow"], unit),
        headroom=headroom(entry["headroom"]),
        state=entry["state"],
        state_text=STATES[entry["state"]],
        since=datetime.fromisoformat(entry["since"]) if entry["since"] else None,
        routes_to_queue=entry["routes_to_queue"],
        reason=entry["reason"],
        used=None if value is None else value / entry["limit"],
        spark=spark,
    )


def headroom(factor: float | None) -> str:
    """Return a headroom to read: how many times the present traffic keeps the limit."""
    if factor is None:
        return "–"
    return "over 100 ×" if factor >= 100 else f"{factor:.2g} ×" if factor < 10 else f"{factor:.0f} ×"


def sentence(flag: Flag, entries: Sequence[Mapping[str, Any]], since: str) -> str:
    """Return why the mode is what it is, and what would change it; ``since`` is the time to read."""
    if flag.setting != "auto":
        return f"{flag.effective.capitalize()} since {since}, because {flag.reason}."
    if flag.effective == "queue":
        return f"Queue since {since}: {_why_queue(entries) or flag.reason}."
    nearest = _nearest(entries)
    text = f"Inline since {since}: no limit that moves work is crossed"
    if nearest is None:
        return f"{text}, but nothing is measured yet."
    used = (nearest["value"] or 0) / nearest["limit"]
    return f"{text}. The nearest is {title(nearest['name'])} at {used:.0%} of {_limit(nearest)}."


def _why_queue(entries: Sequence[Mapping[str, Any]]) -> str:
    parts = []
    for entry in entries:
        if entry["state"] != "firing" or not entry["routes_to_queue"]:
            continue
        unit = Unit(entry["unit"])
        inline = entry["shadow"] if entry["shadow"] is not None else entry["value"]
        would = f"would be {show(inline, unit)} inline now" if inline is not None else "is not known now"
        back = show(entry["limit"] * entry.get("recover_below", 0.8), unit)
        keep = round(entry.get("keep_seconds", 600) / 60)
        parts.append(
            f"{title(entry['name'])} {would}, limit {_limit(entry)}; back to inline when it has stayed "
            f"below {back} for {keep} minutes"
        )
    return "; ".join(parts)


def _nearest(entries: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    known = [entry for entry in entries if entry["routes_to_queue"] and entry["value"] is not None]
    return max(known, key=lambda entry: entry["value"] / entry["limit"], default=None)


def _limit(entry: Mapping[str, Any]) -> str:
    return show(entry["limit"], Unit(entry["unit"]))


def freshness(evaluated_at: datetime | None, now: datetime) -> tuple[bool, str]:
    """Return whether the figures are fresh, and how old they are, to read."""
    if evaluated_at is None:
        return False, "Nothing was evaluated yet. Start it: manage.py evaluate_thresholds --every 15s"
    age = now - evaluated_at
    if age < STALE:
        return True, f"Evaluated {max(0, round(age.total_seconds()))} s ago."
    return (
        False,
        f"The last evaluation was {round(age.total_seconds() / 60)} min ago; the last mode stands meanwhile.",
    )


def spark(points: Sequence[float | None], limit: float, *, width: int = 120, height: int = 28) -> str:
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
