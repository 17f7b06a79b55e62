"""Which edition of a document's PDF is meant: accessible or for the archive; of an annual report, which reports."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings

from documents.exceptions import UnknownEdition
from documents.models.projects import BusinessArea

APPROVED, ALL = "approved", "all"
ACCESSIBLE, ARCHIVE = "pdf/ua-1", "pdf/a-3a"
VARIANTS = (ACCESSIBLE, ARCHIVE)


@dataclass(frozen=True, kw_only=True)
class Edition:
    """What a client may choose for one PDF; the defaults are what everybody gets.

    ``variant`` is ``pdf/ua-1`` (accessible), ``pdf/a-3a`` (for the archive, with its source attached) or empty for
    what SPMS_PDF_VARIANT says. ``reports`` is ``approved`` or ``all``; ``division`` is the name of one, or empty for
    the whole agency: these two concern annual reports only.
    """

    variant: str = ""
    reports: str = APPROVED
    division: str = ""

    @property
    def pdf_variant(self) -> str:
        """The variant to make."""
        return self.variant or str(settings.SPMS_PDF_VARIANT)

    @property
    def is_archive(self) -> bool:
        """Whether it is made for the archive."""
        return self.pdf_variant == ARCHIVE

    def as_arguments(self) -> dict[str, Any]:
        """Return what differs from the defaults, as a task keeps it."""
        return {name: value for name, value in vars(self).items() if value != getattr(DEFAULT, name)}

    @property
    def title(self) -> str:
        """What a file name says of it, such as “all, Marine Science”; empty for the default."""
        parts = (
            "all" if self.reports == ALL else "",
            self.division,
            "archive" if self.variant == ARCHIVE else "",
        )
        return ", ".join(filter(None, parts))


DEFAULT = Edition()


def from_arguments(arguments: dict[str, Any]) -> Edition:
    """Return the edition that a task was asked for."""
    fields = {name: arguments[name] for name in vars(DEFAULT) if name in arguments}
    return Edition(**fields)


def parse(*, is_annual: bool, variant: str, reports: str, division: str) -> Edition:
    """Return the edition that these words of a client name; raises UnknownEdition, which lists the valid ones."""
    if variant not in {"", *VARIANTS}:
        raise UnknownEdition(f"For variant send one of: {', '.join(VARIANTS)}.")
    if not is_annual and (reports or division):
        raise UnknownEdition("Only an annual report is made of reports; leave out reports and division.")
    if reports not in {"", APPROVED, ALL}:
        raise UnknownEdition("For reports send approved or all.")
    if division and division not in (division_names := divisions()):
        raise UnknownEdition(
            f"There is no division {division!r}; there are: {', '.join(division_names) or 'none'}."
        )
    named = "" if variant == settings.SPMS_PDF_VARIANT else variant
    return Edition(variant=named, reports=reports or APPROVED, division=division)


def divisions() -> list[str]:
    """Return the names of all divisions in order."""
    named = BusinessArea.objects.exclude(division="")
    return list(named.order_by("division").values_list("division", flat=True).distinct())
