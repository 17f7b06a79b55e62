"""Approvals belong to what was approved: a change of what a document prints resets them.

This is the only place that decides it; the API, imports and the admin all ask ``resolve``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from documents.models.documents import Document

# The name of each approval in the API, and its column.
APPROVALS = {
    "project_lead": "lead_approved",
    "area_lead": "area_approved",
    "directorate": "directorate_approved",
}
# The status and the approvals are printed, too, but are no content. A project's facts are the business of staff.
CONTENT = frozenset({"project", "project_id", "kind", "year"})


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What a change does: ``columns`` to store, and the values of its row in the history."""

    columns: dict[str, Any]
    history: dict[str, list[str]]


def resolve(document: "Document", values: Mapping[str, Any], *, other_content: Sequence[str] = ()) -> Effect:
    """Return what setting columns of a stored document to ``values`` does; ``sections`` must be whole.

    A change of the content resets every approval that the same values do not give anew, and with them a status
    beyond the review. ``other_content`` names what else was changed of what is printed.
    """
    columns = {name: value for name, value in values.items() if getattr(document, name) != value}
    is_content = bool(other_content) or any(_is_content(document, name, columns[name]) for name in columns)
    lapsed = _lapsed(document, values) if is_content else {}
    changed = [*other_content, *_changed_names(document, columns | lapsed)]
    return Effect(
        columns=columns | lapsed,
        history={
            "changed": changed,
            "approved": _approved(document, values, columns, is_content=is_content),
            "withdrawn": _withdrawn(document, columns),
            "reset": _names(lapsed),
        },
    )


def _is_content(document: "Document", name: str, value: Any) -> bool:
    if name == "sections":
        return _without_blanks(document.sections) != _without_blanks(value)
    if name == "cover_image":  # one that could not be prepared is not printed
        return any(image and image.file for image in (document.cover_image, value))
    return name in CONTENT


def _without_blanks(sections: Mapping[str, str]) -> dict[str, str]:
    return {key: html for key, html in sections.items() if html}


def _lapsed(document: "Document", values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of approvals that were given and are not given anew, and the status that follows them."""
    status = document.Status
    lapsed: dict[str, Any] = {
        column: False for column in APPROVALS.values() if getattr(document, column) and column not in values
    }
    follows = document.status == status.APPROVED or (lapsed and document.status == status.IN_APPROVAL)
    if follows and "status" not in values:
        lapsed["status"] = status.REVISING.value
    return lapsed


def _approved(
    document: "Document", values: Mapping[str, Any], columns: Mapping[str, Any], *, is_content: bool
) -> list[str]:
    """Return the approvals that the values give, also those given anew to new content."""
    given = values if is_content else columns
    names = [name for name, column in APPROVALS.items() if given.get(column)]
    return [*names, "status"] if given.get("status") == document.Status.APPROVED else names


def _withdrawn(document: "Document", columns: Mapping[str, Any]) -> list[str]:
    names = [name for name, column in APPROVALS.items() if columns.get(column) is False]
    is_withdrawn = "status" in columns and document.status == document.Status.APPROVED
    return [*names, "status"] if is_withdrawn else names


def _names(lapsed: Mapping[str, Any]) -> list[str]:
    names = [name for name, column in APPROVALS.items() if column in lapsed]
    return [*names, "status"] if "status" in lapsed else names


def _changed_names(document: "Document", columns: Mapping[str, Any]) -> list[str]:
    """Return the members of the API that have another value."""
    names = {column: f"approvals.{name}" for name, column in APPROVALS.items()}
    changed = [names.get(name, name.removesuffix("_id")) for name in columns if name != "sections"]
    if "sections" in columns:
        before, after = document.sections, columns["sections"]
        keys = [key for key in document.kind_info.section_keys() if before.get(key) != after.get(key)]
        changed = [*(f"sections.{key}" for key in keys), *changed]
    return changed
