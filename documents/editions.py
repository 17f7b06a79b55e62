"""Which edition of a document's PDF is meant: for an annual report, which reports and which division."""

from dataclasses import dataclass
from typing import Any

from documents.errors import EditionUnknown
from documents.projects import BusinessArea

APPROVED, ALL = "approved", "all"


@dataclass(frozen=True, kw_only=True)
class Edition:
    """What a client may choose for one PDF; the defaults are what everybody gets.

    ``reports`` is ``approved`` or ``all``; ``division`` is the name of one, or empty for the whole agency. Both
    concern annual reports only.
    """

    reports: str = APPROVED
    division: str = ""

    def as_arguments(self) -> dict[str, Any]:
        """Return what differs from the defaults, as a task keeps it."""
        return {name: value for name, value in vars(self).items() if value != getattr(DEFAULT, name)}

    @property
    def title(self) -> str:
        """What a file name says of it, such as “all, Marine Science”; empty for the default."""
        return ", ".join(part for part in ("all" if self.reports == ALL else "", self.division) if part)


DEFAULT = Edition()


def of(arguments: dict[str, Any]) -> Edition:
    """Return the edition that a task was asked for."""
    known = {name: arguments[name] for name in vars(DEFAULT) if name in arguments}
    return Edition(**known)


def chosen(*, is_annual: bool, reports: str, division: str) -> Edition:
    """Return the edition that these words of a client name; raises EditionUnknown, saying what there is."""
    if not is_annual and (reports or division):
        raise EditionUnknown("Only an annual report has editions; leave out reports and division.")
    if reports not in {"", APPROVED, ALL}:
        raise EditionUnknown("For reports send approved or all.")
    if division and division not in (known := divisions()):
        raise EditionUnknown(f"There is no division {division!r}; there are: {', '.join(known) or 'none'}.")
    return Edition(reports=reports or APPROVED, division=division)


def divisions() -> list[str]:
    """Return the names of all divisions in order."""
    named = BusinessArea.objects.exclude(division="")
    return list(named.order_by("division").values_list("division", flat=True).distinct())
