"""The manifest of an archive, and the check of what is read: archives may come from anywhere."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

FORMAT = 1
MAX_TEXT_CHARACTERS = 2000
MAX_COUNT = 2**63 - 1
VERSION = re.compile(r"\d{1,9}(?:\.\d{1,9}){0,5}[a-z0-9.+-]{0,40}", re.ASCII)
SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


class BackupError(Exception):
    """A backup or a restore that is impossible; the text says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The contents of an archive. ``files`` tells where images and PDFs are: ``archive``, or their bucket.

    ``gone`` counts missing files that rows name; ``sha256`` has every other member.
    """

    format: int
    version: str
    engine: str
    made_at: str
    migrations: list[str]
    counts: dict[str, int]
    files: str
    gone: int
    sha256: dict[str, str]


def parse(text: bytes) -> Manifest:
    """Return the manifest that a JSON text holds. Raises BackupError for any other text."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BackupError(f"The manifest of this archive cannot be read ({error}).") from error
    if isinstance(values, dict) and _is_count(values.get("format")) and values["format"] != FORMAT:
        raise BackupError(f"This archive has format {values['format']}; this version reads {FORMAT}.")
    if not isinstance(values, dict) or set(values) != {field.name for field in fields(Manifest)}:
        names = ", ".join(field.name for field in fields(Manifest))
        raise BackupError(f"The manifest of this archive cannot be read: it must have the members {names}.")
    for name, is_valid in CHECKS.items():
        if not is_valid(values[name]):
            raise BackupError(f"The manifest of this archive cannot be read: its member {name!r} is wrong.")
    return Manifest(**values)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_COUNT


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TEXT_CHARACTERS and value.isprintable()


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _are_counts(value: Any) -> bool:
    return isinstance(value, dict) and _are_texts(list(value)) and all(map(_is_count, value.values()))


def _is_version(value: Any) -> bool:
    return isinstance(value, str) and VERSION.fullmatch(value) is not None


def _are_digests(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(digest, str) and SHA256.fullmatch(digest) for digest in value.values()
    )


CHECKS: dict[str, Callable[[Any], bool]] = {
    "format": _is_count,
    "version": _is_version,
    "engine": _is_text,
    "made_at": _is_text,
    "migrations": _are_texts,
    "counts": _are_counts,
    "files": _is_text,
    "gone": _is_count,
    "sha256": _are_digests,
}
