"""Read WeasyPrint's log: report progress, and count what is missing from the pages."""

import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from documents.rendering import glyphs

LAYOUT_PAGE = re.compile(r"Creating layout - Page (\d+)")
UNKNOWN_CHARACTER = re.compile(r"\.notdef glyph .*\(U\+([0-9A-F]+)\)", re.DOTALL)
OVERFLOW = (
    "Text or an image {place} runs off the page{text}. Use fewer columns or indents, or split the table."
)
UNPRINTED = "Text {place} is not printed{text}. Take it out of the table cell or list that it is in."
# A message for every page would wake the parent too often, and it passes on far fewer.
PROGRESS_SECONDS = 0.1

type SendMessage = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, kw_only=True)
class MissingContent:
    """What the pages lack: the number of images that could not be shown, and by the title over them the others.

    These are the characters that no font has, and the first text that runs off a page or is on none.
    """

    images: int = 0
    characters: dict[str, str] = field(default_factory=dict)
    overflows: dict[str, str] = field(default_factory=dict)
    unprinted: dict[str, str] = field(default_factory=dict)

    def __add__(self, other: "MissingContent") -> "MissingContent":
        return MissingContent(
            images=self.images + other.images,
            characters=glyphs.merged(self.characters, other.characters),
            overflows={**other.overflows, **self.overflows},
            unprinted={**other.unprinted, **self.unprinted},
        )

    def located(self, root: Any) -> "MissingContent":
        """Return it with the characters under the titles of the HTML that they are in."""
        return replace(self, characters=glyphs.locate("".join(self.characters.values()), root))

    def warnings(self) -> tuple[str, ...]:
        """Return warnings for the author, as sentences."""
        count = self.images
        images = [f"{count} image(s) could not be shown; upload them to this document."] if count else []
        return (
            *images,
            *glyphs.warnings(self.characters),
            *_sentences(self.unprinted, UNPRINTED),
            *_sentences(self.overflows, OVERFLOW),
        )


def _sentences(places: Mapping[str, str], pattern: str) -> list[str]:
    """Return a sentence for the first places, and one for the others."""
    listed = list(places.items())
    sentences = [
        pattern.format(place=glyphs.place_of(title), text=f" (“{text}”)")
        for title, text in listed[: glyphs.MAX_PLACES]
    ]
    if (others := len(listed) - glyphs.MAX_PLACES) > 0:
        sentences.append(pattern.format(place=f"in {others} other sections", text=""))
    return sentences


class RenderLog(logging.Handler):
    """Collects WeasyPrint's messages of one job, which may have several parts."""

    def __init__(self, send: SendMessage) -> None:
        super().__init__()
        self._send = send
        self.start()
        for name, level in (("weasyprint", logging.WARNING), ("weasyprint.progress", logging.INFO)):
            logger = logging.getLogger(name)
            logger.handlers, logger.propagate = [self], False
            logger.setLevel(level)

    def start(self, *, pages_before: int = 0) -> None:
        """Begin a job, or a part of it that follows ``pages_before`` pages, with nothing missing yet."""
        self._sent_at = time.monotonic()
        self._pages = self._pages_before = pages_before
        self._phase = ""
        self.missing = MissingContent()

    def emit(self, record: logging.LogRecord) -> None:
        """Take one message of the log."""
        text = record.getMessage()
        if record.name == "weasyprint.progress":
            self._progress(text)
        elif text.startswith("Failed to load image"):
            self.missing += MissingContent(images=1)
        elif match := UNKNOWN_CHARACTER.search(text):
            self.missing += MissingContent(characters={"": chr(int(match[1], 16))})

    def _progress(self, text: str) -> None:
        phase, pages = self._phase, self._pages
        if match := LAYOUT_PAGE.search(text):
            # Later passes repeat pages, so the highest number is the progress.
            phase, pages = "layout", max(pages, self._pages_before + int(match[1]))
        elif text.startswith("Step 6"):
            phase = "draw"
        elif not phase:
            phase = "fetch"
        self._phase, self._pages = phase, pages
        if time.monotonic() - self._sent_at > PROGRESS_SECONDS:
            self._sent_at = time.monotonic()
            self._send({"phase": phase, "pages": pages})
