"""Characters that no font has: where they are in a document, and what to do about them."""

import re
from collections.abc import Mapping
from typing import Any

from documents.rendering import fallback_fonts

# Titles of sections, and of chapters and their sections in a report.
TITLE_CLASSES = frozenset({"section-title", "part-title", "chapter-title", "chapter-section"})
MAX_CHARACTERS, MAX_PLACES = 20, 10


def merged(places: Mapping[str, str], others: Mapping[str, str]) -> dict[str, str]:
    """Return the characters of both by the title over them, each once."""
    merged_places = dict(places)
    for title, characters in others.items():
        merged_places[title] = _once(merged_places.get(title, "") + characters)
    return merged_places


def locate(characters: str, root: Any) -> dict[str, str]:
    """Return characters by the title over them in a tree of HTML; an empty one for what is above all titles."""
    if not characters:
        return {}
    pattern = re.compile(f"[{re.escape(characters)}]")
    places: dict[str, str] = {}
    titles = Titles()
    for element in root.iter():
        if isinstance(element.tag, str):
            titles.enter(element)
            # What follows an element is under the title that the element itself may be.
            for text in (element.text, element.tail):
                if text and (signs := "".join(pattern.findall(text))):
                    places[titles.current] = _once(places.get(titles.current, "") + signs)
    return places or {"": _once(characters)}


class Titles:
    """The title that is over an element, as a tree is read in its order."""

    def __init__(self) -> None:
        self.current = self._chapter = ""

    def enter(self, element: Any) -> None:
        """Read the next element."""
        classes = TITLE_CLASSES.intersection(element.get("class", "").split())
        if not classes:
            return
        self.current = " ".join("".join(element.itertext()).split())
        if "chapter-section" in classes:
            self.current = f"{self._chapter}, {self.current}"
        else:
            self._chapter = self.current


def warnings(places: Mapping[str, str]) -> tuple[str, ...]:
    """Return a sentence for the characters under each title, and one for all others if there are many."""
    listed = list(places.items())
    sentences = [_warning(title, characters) for title, characters in listed[:MAX_PLACES]]
    if others := listed[MAX_PLACES:]:
        characters = _once("".join(characters for _, characters in others))
        sentences.append(_sentence(f"in {len(others)} other sections", characters))
    return tuple(sentences)


def _warning(title: str, characters: str) -> str:
    return _sentence(place_of(title), characters)


def place_of(title: str) -> str:
    """Return where something is, for the middle of a sentence."""
    return f"in “{title}”" if title else "above the first section"


def _sentence(place: str, characters: str) -> str:
    packages = fallback_fonts.missing_packages(characters)
    advice = (
        f"Ask for {' and '.join(packages)} to be installed on the server."
        if packages
        else "Write them in another way."
    )
    shown = " ".join(characters[:MAX_CHARACTERS]) + (" …" if len(characters) > MAX_CHARACTERS else "")
    return f"Characters {place} are in none of our fonts and print as boxes ({shown}). {advice}"


def _once(characters: str) -> str:
    return "".join(dict.fromkeys(characters))
