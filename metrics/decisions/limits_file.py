"""``thresholds.yaml``: read, checked with line and key, and kept as values."""

import functools
import hashlib
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from metrics import durations
from metrics.decisions.criteria import CRITERIA, DURATION_BUCKETS, Criterion, Statistic, Unit

MAX_BYTES = 100_000
MAX_DURATION_SECONDS = 366 * 86_400.0
SEVERITIES = ("info", "warning", "critical")
NUMBER = re.compile(r"(\d{1,15}(?:\.\d{1,15})?)\s*(\D*)", re.ASCII)
TOP = ("dry_run", "defaults", "thresholds")
NEEDED = {
    Unit.SECONDS: "a duration such as 5s",
    Unit.SHARE: "a share such as 1%",
    Unit.COUNT: "a number such as 500",
    Unit.PER_DAY: "a number a day such as 1000/day",
    Unit.PER_MONTH: "a number a month such as 5/month",
}


class LimitsError(Exception):
    """A limits file that cannot be used: names file, line and what was expected."""


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """A criterion with its limit. Durations in seconds, shares as 0.01 for 1 %."""

    criterion: Criterion
    limit: float
    over_seconds: float | None
    window_seconds: float
    for_seconds: float
    keep_firing_for_seconds: float
    min_samples: int
    recover_below: float
    severity: str
    routes_to_queue: bool

    @property
    def name(self) -> str:
        """The criterion's name."""
        return self.criterion.name


@dataclass(frozen=True, kw_only=True)
class LimitsFile:
    """A whole limits file; ``digest`` is the start of its SHA-256, as the audit trail shows it."""

    thresholds: tuple[Threshold, ...]
    dry_run: bool
    digest: str


@dataclass(frozen=True, kw_only=True)
class _Value:
    """A value of the file with its line number."""

    value: Any
    line: int


BUILT_IN = {
    key: _Value(value=value, line=0)
    for key, value in {
        "window": "5m",
        "for": "1m",
        "keep_firing_for": "10m",
        "min_samples": "20",
        "recover_below": "80%",
        "severity": "warning",
        "routes_to_queue": "false",
    }.items()
}


def load(path: Path) -> LimitsFile:
    """Read a limits file. Raises LimitsError."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise LimitsError(f"{path}: expected at most {MAX_BYTES:,} bytes")
        raw = path.read_bytes()
        text = raw.decode()
    except OSError as error:
        raise LimitsError(f"{path}: it cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise LimitsError(f"{path}: expected UTF-8, found other bytes at {error.start}") from error
    try:
        return load_text(text)
    except LimitsError as error:
        raise LimitsError(f"{path}: {error}") from error


@functools.lru_cache(maxsize=4)
def load_text(text: str) -> LimitsFile:
    """Read the text of a limits file. Raises LimitsError."""
    return _limits(parse(text), digest=hashlib.sha256(text.encode()).hexdigest()[:12])


def parse(text: str) -> dict[str, _Value]:
    """Return the top of a YAML text, each value with its line. Raises LimitsError.

    Aliases are refused, so that a small file cannot stand for a huge one.
    """
    try:
        for token in yaml.scan(text):
            if isinstance(token, yaml.AliasToken | yaml.AnchorToken | yaml.TagToken):
                raise LimitsError(
                    f"line {token.start_mark.line + 1}: anchors, aliases and tags are not used here"
                )
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise LimitsError(f"{where}not YAML ({getattr(error, 'problem', None) or error})") from error
    except RecursionError as error:
        raise LimitsError("nested too deeply") from error
    if not isinstance(node, yaml.MappingNode):
        raise LimitsError("line 1: expected the keys dry_run, defaults and thresholds")
    return _mapping(node)


def _mapping(node: yaml.MappingNode) -> dict[str, _Value]:
    entries: dict[str, _Value] = {}
    for key_node, value_node in node.value:
        key, line = str(key_node.value), key_node.start_mark.line + 1
        if key in entries:
            raise LimitsError(f"line {line}: {key} stands here twice (first in line {entries[key].line})")
        if isinstance(value_node, yaml.MappingNode):
            entries[key] = _Value(value=_mapping(value_node), line=line)
        elif isinstance(value_node, yaml.ScalarNode):
            entries[key] = _Value(value=value_node.value.strip(), line=line)
        else:
            raise LimitsError(f"line {line}: {key}: a list is not expected here")
    return entries


def _limits(top: dict[str, _Value], digest: str) -> LimitsFile:
    _require_known(top, TOP, "")
    defaults = _section(top, "defaults")
    _require_known(defaults, tuple(BUILT_IN), "defaults.")
    named = _section(top, "thresholds")
    if not named:
        raise LimitsError("thresholds: expected at least one")
    _require_known(named, tuple(CRITERIA), "thresholds.")
    thresholds = []
    for name, entry in named.items():
        if not isinstance(entry.value, dict):
            raise LimitsError(f"line {entry.line}: {name}: expected keys such as limit")
        _require_known(entry.value, ("limit", "over", *BUILT_IN), f"{name}.")
        thresholds.append(_threshold(CRITERIA[name], BUILT_IN | defaults | entry.value, entry.line))
    dry_run = _flag("dry_run", top["dry_run"]) if "dry_run" in top else False
    return LimitsFile(thresholds=tuple(thresholds), dry_run=dry_run, digest=digest)


def _section(top: dict[str, _Value], name: str) -> dict[str, _Value]:
    entry = top.get(name)
    if entry is None or entry.value == "":
        return {}
    if not isinstance(entry.value, dict):
        raise LimitsError(f"line {entry.line}: {name}: expected keys below it")
    return entry.value


def _require_known(entries: dict[str, _Value], valid_keys: tuple[str, ...], prefix: str) -> None:
    for key, entry in entries.items():
        if key not in valid_keys:
            raise LimitsError(
                f"line {entry.line}: {prefix}{key} is not known; expected one of {', '.join(valid_keys)}"
            )


def _threshold(criterion: Criterion, values: dict[str, _Value], line: int) -> Threshold:
    name = criterion.name
    if "limit" not in values:
        raise LimitsError(f"line {line}: {name}: expected a limit, {NEEDED[criterion.unit]}")
    limit = _limit(f"{name}.limit", values["limit"], criterion.unit)
    if criterion.has_over != ("over" in values):
        expectation = (
            "expected over, a duration such as 30s" if criterion.has_over else "over is not used here"
        )
        raise LimitsError(f"line {line}: {name}: {expectation}")
    over = _seconds(f"{name}.over", values["over"]) if criterion.has_over else None
    _require_bounds(criterion, limit, over, values)
    severity = values["severity"]
    if severity.value not in SEVERITIES:
        expected = ", ".join(SEVERITIES)
        raise LimitsError(f"line {severity.line}: {name}.severity: {_shown(severity)}; expected {expected}")
    return Threshold(
        criterion=criterion,
        limit=limit,
        over_seconds=over,
        window_seconds=_seconds(f"{name}.window", values["window"]),
        for_seconds=_seconds(f"{name}.for", values["for"]),
        keep_firing_for_seconds=_seconds(f"{name}.keep_firing_for", values["keep_firing_for"]),
        min_samples=_whole(f"{name}.min_samples", values["min_samples"]),
        recover_below=_part(f"{name}.recover_below", values["recover_below"]),
        severity=severity.value,
        routes_to_queue=_flag(f"{name}.routes_to_queue", values["routes_to_queue"]),
    )


def _require_bounds(
    criterion: Criterion, limit: float, over: float | None, values: dict[str, _Value]
) -> None:
    """Refuse a limit between two bounds of its histogram, which cannot tell 31 s from 44 s."""
    key, seconds = ("over", over) if over is not None else ("limit", limit)
    is_duration = over is not None or criterion.kind == Statistic.QUANTILE
    if not is_duration or seconds in DURATION_BUCKETS[:-1]:
        return
    near = sorted(DURATION_BUCKETS[:-1], key=lambda bound: abs(math.log(bound / seconds)))[:4]
    raise LimitsError(
        f"line {values[key].line}: {criterion.name}.{key}: {values[key].value} is not a bound of the histogram, so the "
        f"share above it is unknown; expected a bound such as {', '.join(f'{bound:g}s' for bound in sorted(near))}"
    )


def _number(key: str, entry: _Value, expected: str) -> tuple[float, str]:
    match = NUMBER.fullmatch(entry.value) if isinstance(entry.value, str) else None
    if match is None:
        raise LimitsError(f"line {entry.line}: {key}: {_shown(entry)}; expected {expected}")
    return float(match[1]), match[2].strip()


def _limit(key: str, entry: _Value, unit: Unit) -> float:
    if unit == Unit.SECONDS:
        return _seconds(key, entry)
    number, given_unit = _number(key, entry, NEEDED[unit])
    if given_unit != unit or number <= 0 or (unit == Unit.SHARE and number > 100):
        raise LimitsError(f"line {entry.line}: {key}: {_shown(entry)}; expected {NEEDED[unit]}")
    return number / 100 if unit == Unit.SHARE else number


def _seconds(key: str, entry: _Value) -> float:
    expected = "a duration above zero with its unit, such as 30s or 5m"
    number, unit = _number(key, entry, expected)
    seconds = number * durations.SECONDS.get(unit, 0.0) if unit else 0.0
    if not 0 < seconds <= MAX_DURATION_SECONDS:
        raise LimitsError(f"line {entry.line}: {key}: {_shown(entry)}; expected {expected}")
    return seconds


def _whole(key: str, entry: _Value) -> int:
    number, unit = _number(key, entry, "a whole number such as 20")
    if unit or number < 1 or number != int(number):
        raise LimitsError(f"line {entry.line}: {key}: {_shown(entry)}; expected a whole number such as 20")
    return int(number)


def _part(key: str, entry: _Value) -> float:
    """Return a share of the limit, written 80% or 0.8."""
    number, unit = _number(key, entry, "a share such as 80% or 0.8")
    part = number / 100 if unit == "%" else number
    if unit not in {"", "%"} or not 0 < part < 1:
        raise LimitsError(f"line {entry.line}: {key}: {_shown(entry)}; expected a share such as 80% or 0.8")
    return part


def _flag(key: str, entry: _Value) -> bool:
    if entry.value not in {"true", "false"}:
        raise LimitsError(f"line {entry.line}: {key}: {_shown(entry)}; expected true or false")
    return bool(entry.value == "true")


def _shown(entry: _Value) -> str:
    return "keys" if isinstance(entry.value, dict) else repr(entry.value)[:60]
