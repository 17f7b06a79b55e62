"""What an author loses, in sentences that say what to do."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from documents.models.mistakes import MAX_LISTED

OTHERS = "other things are missing or changed"


@dataclass(frozen=True, kw_only=True)
class TextWarning:
    """Something in a section that is not printed, or not as it was, and how often."""

    section: str
    what: str
    count: int

    def __str__(self) -> str:
        times = f" ({self.count} times)" if self.count > 1 else ""
        return f"{self.what[:1].upper()}{self.what[1:]}{times}."

    def as_json(self) -> dict[str, object]:
        """Return it as the API does."""
        return {"section": self.section, "what": self.what, "count": self.count}


class Losses:
    """Counts what is lost while one section is normalised."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, what: str, count: int = 1) -> None:
        """Count a loss."""
        if count:
            self._counts[what] += count

    def warnings(self, section: str) -> tuple[TextWarning, ...]:
        """Return the losses of a section in the order in which they were found."""
        return to_warnings(section, self._counts)


def to_warnings(section: str, counts: Mapping[str, int]) -> tuple[TextWarning, ...]:
    """Return the losses of a section, by sentence: the first ones, and how many others there are."""
    listed = list(counts.items())
    if len(listed) > MAX_LISTED + 1:
        others = sum(count for _, count in listed[MAX_LISTED:])
        listed = [*listed[:MAX_LISTED], (OTHERS, others)]
    return tuple(TextWarning(section=section, what=what, count=count) for what, count in listed)
