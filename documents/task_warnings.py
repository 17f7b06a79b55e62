"""What the file of a task lacks, or what its authors can mend: one shape for all tasks and all readers."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class TaskWarning:
    """One warning: the title of its section, or an empty text; the name of its rule; and a sentence for people."""

    rule: str
    text: str
    section: str = ""


def as_json(warnings: "tuple[TaskWarning, ...]") -> list[dict[str, str]]:
    """Return warnings as a task's result stores them."""
    return [asdict(warning) for warning in warnings]


def read(warnings: list[Any]) -> list[dict[str, str]]:
    """Return the stored warnings of a task's result; older versions stored sentences."""
    return [
        asdict(TaskWarning(rule="", text=stored)) if isinstance(stored, str) else stored
        for stored in warnings
    ]


def sentences(warnings: "tuple[TaskWarning, ...]") -> str:
    """Return the sentences of warnings, in a line."""
    return " ".join(warning.text for warning in warnings)
