"""What the pages of a document lack, and what screen readers lack in it: by the title over it, for its authors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from documents.rendering import glyphs
from documents.task_warnings import TaskWarning

MAX_PLACES = 10

# The sentence for a place, and for what is there: a list of one, or of several for all places beyond the first.
type Sentence = Callable[[str, list[Any]], str]


@dataclass(frozen=True, kw_only=True)
class MissingContent:
    """The number of images that could not be shown, and by the title over them the others.

    These are the characters that no font has, the first text that runs off a page or is on none, and the numbers
    of tables without header cells and of images without a text, counted from each title.
    """

    images: int = 0
    characters: dict[str, str] = field(default_factory=dict)
    overflows: dict[str, str] = field(default_factory=dict)
    unprinted: dict[str, str] = field(default_factory=dict)
    headers: dict[str, list[int]] = field(default_factory=dict)
    alternatives: dict[str, list[int]] = field(default_factory=dict)

    def __add__(self, other: "MissingContent") -> "MissingContent":
        return MissingContent(
            images=self.images + other.images,
            characters=glyphs.merged(self.characters, other.characters),
            overflows={**other.overflows, **self.overflows},
            unprinted={**other.unprinted, **self.unprinted},
            headers={**other.headers, **self.headers},
            alternatives={**other.alternatives, **self.alternatives},
        )

    def warnings(self) -> tuple[TaskWarning, ...]:
        """Return warnings for the author."""
        count = self.images
        text = f"{count} image(s) could not be shown; upload them to this document."
        return (
            *((TaskWarning(rule="image-missing", text=text),) if count else ()),
            *_warnings("character-without-glyph", self.characters, glyphs.sentence),
            *_warnings("text-not-printed", self.unprinted, _unprinted),
            *_warnings("text-off-page", self.overflows, _overflow),
            *_warnings("table-without-header", self.headers, _headers),
            *_warnings("image-without-alternative", self.alternatives, _alternatives),
        )


def _warnings(rule: str, places: Mapping[str, Any], sentence: Sentence) -> list[TaskWarning]:
    """Return a warning for each of the first places, and one for all others."""
    listed = list(places.items())
    warnings = [
        TaskWarning(rule=rule, text=sentence(_place(title), [found]), section=title)
        for title, found in listed[:MAX_PLACES]
    ]
    if others := [found for _, found in listed[MAX_PLACES:]]:
        warnings.append(TaskWarning(rule=rule, text=sentence(f"in {len(others)} other sections", others)))
    return warnings


def _place(title: str) -> str:
    """Return where something is, for the middle of a sentence."""
    return f"in “{title}”" if title else "above the first section"


def _overflow(place: str, texts: list[str]) -> str:
    advice = "Use fewer columns or indents, or split the table."
    return f"Text or an image {place} runs off the page{_quoted(texts)}. {advice}"


def _unprinted(place: str, texts: list[str]) -> str:
    advice = "Take it out of the table cell or list that it is in."
    return f"Text {place} is not printed{_quoted(texts)}. {advice}"


def _headers(place: str, numbers: list[list[int]]) -> str:
    subject, is_one = _numbered(place, "table", numbers)
    columns = "its columns" if is_one else "their columns"
    return f"{subject} no header row, so a screen reader cannot name {columns}."


def _alternatives(place: str, numbers: list[list[int]]) -> str:
    subject, is_one = _numbered(place, "image", numbers)
    them = "it" if is_one else "them"
    return f"{subject} neither an alternative text nor a caption, so a screen reader skips {them}."


def _quoted(texts: list[str]) -> str:
    return f" (“{texts[0]}”)" if len(texts) == 1 else ""


def _numbered(place: str, noun: str, numbers: list[list[int]]) -> tuple[str, bool]:
    """Return the beginning of a sentence, “In Aims, tables 2 and 3 have”, and whether it is about one thing."""
    place = f"{place[0].upper()}{place[1:]}"
    if len(numbers) > 1:
        return f"{place}, {noun}s have", False
    *others, last = map(str, numbers[0])
    if others:
        return f"{place}, {noun}s {', '.join(others)} and {last} have", False
    return f"{place}, {noun} {last} has", True
