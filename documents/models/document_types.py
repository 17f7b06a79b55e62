"""The kinds of document and the sections of each: data, not code."""

from collections.abc import Iterable
from dataclasses import dataclass

from documents.models.mistakes import shortened


@dataclass(frozen=True, kw_only=True)
class Section:
    """One rich-text part of a document."""

    key: str
    title: str


@dataclass(frozen=True, kw_only=True)
class DocumentType:
    """A kind of document.

    ``is_yearly`` says that its title names the reporting year; ``has_project`` that it belongs to a
    project rather than to a year; ``is_long`` that it gets a table of contents.
    """

    key: str
    title: str
    sections: tuple[Section, ...]
    has_project: bool = True
    is_yearly: bool = False
    is_long: bool = False

    def section_keys(self) -> list[str]:
        """Return the keys of the sections in printing order."""
        return [section.key for section in self.sections]

    def find_project_problem(self, *, has_project: bool) -> str:
        """Return why a document of this kind must, or must not, have a project; an empty text if it is right."""
        if has_project == self.has_project:
            return ""
        rule = "needs a project" if self.has_project else "belongs to a year and has no project"
        return f"A {self.title.lower()} {rule}."


def _sections(*pairs: tuple[str, str]) -> tuple[Section, ...]:
    return tuple(Section(key=key, title=title) for key, title in pairs)


CONCEPT_PLAN = DocumentType(
    key="concept_plan",
    title="Concept Plan",
    sections=_sections(
        ("background", "Background"),
        ("aims", "Aims"),
        ("outcome", "Expected outcome"),
        ("collaborations", "Expected collaborations"),
        ("strategic_context", "Strategic context"),
        ("staff_time_allocation", "Staff time allocation"),
        ("budget", "Indicative operating budget"),
    ),
)

PROJECT_PLAN = DocumentType(
    key="project_plan",
    title="Project Plan",
    is_long=True,
    sections=_sections(
        ("background", "Background"),
        ("aims", "Aims"),
        ("outcome", "Expected outcome"),
        ("knowledge_transfer", "Knowledge transfer"),
        ("project_tasks", "Tasks and milestones"),
        ("listed_references", "References"),
        ("methodology", "Methodology"),
        ("operating_budget", "Consolidated funds"),
        ("operating_budget_external", "External funds"),
        ("related_projects", "Related projects"),
    ),
)

PROGRESS_REPORT = DocumentType(
    key="progress_report",
    title="Progress Report",
    is_yearly=True,
    sections=_sections(
        ("context", "Context"),
        ("aims", "Aims"),
        ("progress", "Progress"),
        ("implications", "Management implications"),
        ("future", "Future directions"),
    ),
)

STUDENT_REPORT = DocumentType(
    key="student_report",
    title="Student Report",
    is_yearly=True,
    sections=_sections(("progress_report", "Progress report")),
)

PROJECT_CLOSURE = DocumentType(
    key="project_closure",
    title="Project Closure",
    sections=_sections(
        ("reason", "Reason for closure"),
        ("intended_outcome", "Intended outcome"),
        ("knowledge_transfer", "Knowledge transfer"),
        ("data_location", "Data location"),
        ("hardcopy_location", "Hardcopy location"),
        ("scientific_outputs", "Scientific outputs"),
    ),
)

ANNUAL_REPORT = DocumentType(
    key="annual_report",
    title="Annual Report",
    has_project=False,
    is_yearly=True,
    is_long=True,
    sections=_sections(
        ("directors_message", "Director's message"),
        ("service_delivery", "Service delivery structure"),
        ("research_introduction", "Research activities"),
        ("student_introduction", "Student projects"),
        ("publications", "Publications"),
    ),
)

DOCUMENT_TYPES: dict[str, DocumentType] = {
    kind.key: kind
    for kind in (CONCEPT_PLAN, PROJECT_PLAN, PROGRESS_REPORT, STUDENT_REPORT, PROJECT_CLOSURE, ANNUAL_REPORT)
}


def choices() -> list[tuple[str, str]]:
    """Return the kinds as choices of a model field."""
    return [(kind.key, kind.title) for kind in DOCUMENT_TYPES.values()]


def section_errors(kind: DocumentType, sections: Iterable[object]) -> dict[str, str]:
    """Return a message for each key that is not a section of this kind."""
    valid_keys = kind.section_keys()
    message = f"is no section of a {kind.title.lower()}; its sections are: {', '.join(valid_keys)}."
    return {str(key): f"“{shortened(str(key))}” {message}" for key in sections if key not in valid_keys}
