"""Durations and sizes as people write them, and the types of the two clocks."""

import re
from collections.abc import Mapping

from django.core.exceptions import ImproperlyConfigured

# Seconds since 1970, by the wall clock (time.time): a moment that can be stored and shown.
type Epoch = float
# Seconds of time.monotonic, for deadlines and intervals inside one process: never stored.
type Monotonic = float

SECONDS = {"": 1.0, "s": 1.0, "ms": 0.001, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
BYTES = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
NUMBER_AND_UNIT = re.compile(r"\s*(\d{1,15}(?:\.\d{1,15})?)\s*([a-z]*)\s*", re.IGNORECASE | re.ASCII)


def parse_seconds(name: str, text: str) -> float:
    """Return a duration such as ``30``, ``30s``, ``2m`` or ``1h`` in seconds.

    Raises ImproperlyConfigured, naming the setting, for anything else and for zero.
    """
    value = _parse(text, SECONDS)
    if not value:
        raise ImproperlyConfigured(f"{name}={text!r}: expected a duration above zero such as 30s or 2m")
    return value


def parse_bytes(name: str, text: str) -> int:
    """Return a size such as ``1500M``, ``1.5G`` or ``1.5GiB`` in bytes (powers of 1,024).

    Raises ImproperlyConfigured, naming the setting, for anything else and for zero.
    """
    value = _parse(re.sub(r"(?<=[kmg])i?b\s*$", "", text, flags=re.IGNORECASE), BYTES)
    if not value:
        raise ImproperlyConfigured(f"{name}={text!r}: expected a size above zero such as 1500M or 2G")
    return int(value)


def _parse(text: str, factors: Mapping[str, float]) -> float:
    match = NUMBER_AND_UNIT.fullmatch(text)
    if match is None or match[2].lower() not in factors:
        return 0.0
    return float(match[1]) * factors[match[2].lower()]


def duration_seconds(text: str) -> float | None:
    """Return a duration such as ``15s`` or ``2h`` in seconds; None for anything else and for zero."""
    return _parse(text, SECONDS) or None
