"""The editions of a document's PDF: with or without its source attached; in an annual report, also which reports."""

from dataclasses import dataclass
from typing import Any

from documents.exceptions import UnknownEdition
from documents.models.projects import BusinessArea

APPROVED, ALL = "approved", "all"
ACCESSIBLE, ARCHIVE = "pdf/ua-1", "pdf/a-3a"
VARIANTS = (ACCESSIBLE, ARCHIVE)


@dataclass(frozen=True, kw_only=True)
class Edition:
    """The choices of a client for one PDF.

    ``variant`` is ``pdf/a-3a`` (for the archive, with its source attached) or, like an empty one, ``pdf/ua-1``
    (without); every PDF conforms to both. ``reports`` is ``approved`` or ``all``, and ``division`` the name of a
    division or empty for the whole agency; both apply to annual reports only.
    """

    variant: str = ""
    reports: str = APPROVED
    division: str = ""

    @property
    def pdf_variant(self) -> str:
        """The variant to render."""
        return self.variant or ACCESSIBLE

    @property
    def is_archive(self) -> bool:
        """Whether the PDF is for the archive."""
        return self.pdf_variant == ARCHIVE

    def as_arguments(self) -> dict[str, Any]:
        """Return the values that differ from the defaults, as arguments of a task."""
        return {name: value for name, value in vars(self).items() if value != getattr(DEFAULT, name)}

    @property
    def title(self) -> str:
        """The edition in a file name, such as “all, Marine Science”; empty for the default edition."""
        parts = (
            "all" if self.reports == ALL else "",
            self.division,
            "archive" if self.variant == ARCHIVE else "",
        )
        return ", ".join(filter(None, parts))


DEFAULT = Edition()


def from_arguments(arguments: dict[str, Any]) -> Edition:
    """Return the edition in the arguments of a task."""
    fields = {name: arguments[name] for name in vars(DEFAULT) if name in arguments}
    return Edition(**fields)


def parse(*, is_annual: bool, variant: str, reports: str, division: str) -> Edition:
    """Return the edition that a client names. Raises UnknownEdition with the valid values."""
    if variant not in {"", *VARIANTS}:
        raise UnknownEdition(f"For variant send one of: {', '.join(VARIANTS)}.")
    if not is_annual and (reports or division):
        raise UnknownEdition("Only an annual report contains reports; leave out reports and division.")
    if reports not in {"", APPROVED, ALL}:
        raise UnknownEdition("For reports send approved or all.")
    if division and division not in (division_names := divisions()):
        raise UnknownEdition(
            f"Unknown division {division!r}; the divisions are: {', '.join(division_names) or 'none'}."
        )
    is_default = variant == ACCESSIBLE
    return Edition(variant="" if is_default else variant, reports=reports or APPROVED, division=division)


def divisions() -> list[str]:
    """Return the names of all divisions in order."""
    areas = BusinessArea.objects.exclude(division="")
    return list(areas.order_by("division").values_list("division", flat=True).distinct())
