"""Turn what editors and clipboards send into our own small HTML, sanitise it, and say what was lost.

This is the one way in which a text becomes a section: the API, imports and the sample data call it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from documents.content.normalising import (
    blocks,
    embeds,
    flat_lists,
    headings,
    images,
    inline,
    lists,
    parse,
    sources,
    tables,
    tasks,
    wrappers,
)
from documents.content.normalising.anchors import Anchors
from documents.content.normalising.losses import Losses, TextWarning
from documents.content.normalising.missing_images import find_missing_images
from documents.content.normalising.tree import serialise
from documents.models import document_types, richtext

SCRIPTS = "a script is not kept"

__all__ = [
    "NormalisedSections",
    "NormalisedText",
    "TextWarning",
    "find_missing_images",
    "normalise_html",
    "normalise_sections",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class NormalisedText:
    """A text as it is stored, and what its author should know of it."""

    html: str
    warnings: tuple[TextWarning, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class NormalisedSections:
    """The sections of a document as they are stored, by key, and what their author should know of them."""

    sections: dict[str, str]
    warnings: tuple[TextWarning, ...] = ()


def normalise_html(html: str, section: str = "") -> NormalisedText:
    """Return a text in our own HTML, sanitised. Raises ValidationError with the limit that it exceeds."""
    text = richtext.parseable_text(images.without_large_data(html))
    losses = Losses()
    written = _normalise(text, losses)
    return NormalisedText(html=richtext.sanitise(written), warnings=losses.warnings(section))


def normalise_sections(
    kind: document_types.DocumentType, sections: object, stored: Mapping[str, str] | None = None
) -> NormalisedSections:
    """Return sections as they are stored; those that equal the ``stored`` ones stay as they are.

    Raises ValidationError under ``sections`` with a message for each unknown key and each invalid section.
    """
    warnings: list[TextWarning] = []

    def normalise(key: str, html: str) -> str:
        if stored and html == stored.get(key):
            return html
        text = normalise_html(html, key)
        warnings.extend(text.warnings)
        return text.html

    normalised = richtext.clean_sections(kind, _without_large_images(sections), normalise)
    return NormalisedSections(sections=normalised, warnings=tuple(warnings))


def _without_large_images(sections: object) -> object:
    """Return sections whose length is that of their text."""
    if not isinstance(sections, dict):
        return sections
    return {
        key: images.without_large_data(html) if isinstance(html, str) else html
        for key, html in sections.items()
    }


def _normalise(html: str, losses: Losses) -> str:
    source = sources.recognise(html)
    fragment = parse.parse(html)
    root = fragment.root
    losses.add(SCRIPTS, fragment.script_count)
    wrappers.tidy(root, losses)
    if fragment.tags & tasks.TAGS:
        tasks.mark(root)
    embeds.replace(root, losses)
    flat_lists.nest(root, fragment.sheet)
    headings.mark(root, source)
    anchors = Anchors(root)
    inline.rebuild(root, anchors, losses)
    headings.relevel(root)
    lists.tidy(root)
    if "table" in fragment.tags:
        tables.tidy(root, losses)
    blocks.finish(root, anchors)
    return serialise(root).strip(" \t\n\r\f")
