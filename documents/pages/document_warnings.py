"""What the authors of a document can mend, each with the address of its place in the text."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import unescape
from typing import Any

from django.urls import reverse
from django.utils.http import urlencode

from documents.content.normalising import find_missing_images
from documents.content.places import PLACE
from documents.models import Document, Task, document_types
from documents.models.mistakes import shortened

MAX_QUOTED_CHARACTERS = 200
QUOTED = re.compile(r"“([^”]*)”")
HEADING = re.compile(r"<h[2-5][^>]*>(.*?)</h[2-5]>", re.DOTALL)
TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True, kw_only=True)
class DocumentWarning:
    """A sentence about a document, and the address of its place there; empty for one that is about no section."""

    text: str
    url: str = ""


def of_text(document: Document) -> list[DocumentWarning]:
    """Return what is missing from the stored text."""
    sections = {section.key: section for section in document.kind_info.sections}
    found = [
        (sections.get(warning.section), str(warning)) for warning in find_missing_images(document.sections)
    ]
    return [
        _located(
            document, section, rule="image-missing", text=f"{section.title}: {text}" if section else text
        )
        for section, text in found
    ]


def of_pdf(document: Document, task: Task | None) -> list[DocumentWarning]:
    """Return the warnings of the task that made a PDF."""
    stored: Iterable[str | Mapping[str, Any]] = (task.result or {}).get("warnings", ()) if task else ()
    return [_of_render(document, warning) for warning in stored]


def _of_render(document: Document, stored: str | Mapping[str, Any]) -> DocumentWarning:
    """Return a warning as it is stored: by now with section and rule, earlier a sentence that quotes its section."""
    if isinstance(stored, str):
        return _located(document, _first_section(document, QUOTED.findall(stored)), rule="", text=stored)
    section = _first_section(document, [stored["section"]]) if stored["section"] else None
    return _located(document, section, rule=stored["rule"], text=stored["text"])


def _first_section(document: Document, titles: Iterable[str]) -> document_types.Section | None:
    """Return the section that has one of the titles, or a heading of that title inside."""
    sections, named = document.kind_info.sections, set(titles)
    by_title = (section for section in sections if section.title in named)
    by_heading = (
        section for section in sections if named & _headings(document.sections.get(section.key, ""))
    )
    return next(by_title, None) or next(by_heading, None)


def _headings(html: str) -> set[str]:
    return {" ".join(unescape(TAG.sub("", heading)).split()) for heading in HEADING.findall(html)}


def _located(
    document: Document, section: document_types.Section | None, *, rule: str, text: str
) -> DocumentWarning:
    if section is None:
        return DocumentWarning(text=text)
    quoted = [words for words in QUOTED.findall(text) if words != section.title]
    words = shortened(quoted[-1], MAX_QUOTED_CHARACTERS) if quoted else ""
    query = urlencode({name: value for name, value in (("rule", rule), ("words", words)) if value})
    path = reverse("document-text", args=[document.pk, section.key])
    url = f"{path}?{query}#{PLACE}" if query else path
    return DocumentWarning(text=text, url=url)
