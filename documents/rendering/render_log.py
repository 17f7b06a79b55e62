"""Hears WeasyPrint's log: progress for whoever waits, and what got lost, for the author."""

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

LAYOUT_PAGE = re.compile(r"Creating layout - Page (\d+)")
# Telling the parent of every page would wake it for each; it passes on far fewer.
PROGRESS_SECONDS = 0.1

type Say = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, kw_only=True)
class MissingContent:
    """How many images could not be shown, and how many characters are in no font."""

    images: int = 0
    glyphs: int = 0

    def __add__(self, other: "MissingContent") -> "MissingContent":
        return MissingContent(images=self.images + other.images, glyphs=self.glyphs + other.glyphs)

    def warnings(self) -> tuple[str, ...]:
        """Return what the author should know, as sentences."""
        counts = (
            (self.images, "image(s) could not be shown; upload them to this document."),
            (self.glyphs, "character(s) are in none of our fonts and print as boxes."),
        )
        return tuple(f"{count} {text}" for count, text in counts if count)


class RenderLog(logging.Handler):
    """Takes WeasyPrint's messages of one piece of work, which may have several parts."""

    def __init__(self, say: Say) -> None:
        super().__init__()
        self._say = say
        self.start()
        for name, level in (("weasyprint", logging.WARNING), ("weasyprint.progress", logging.INFO)):
            logger = logging.getLogger(name)
            logger.handlers, logger.propagate = [self], False
            logger.setLevel(level)

    def start(self, *, pages_before: int = 0) -> None:
        """Begin a piece of work, or a part of it that follows so many pages: nothing is lost yet."""
        self._said_at = time.monotonic()
        self._pages = self._pages_before = pages_before
        self._phase = ""
        self.losses = MissingContent()

    def emit(self, record: logging.LogRecord) -> None:
        """Take one message of the log."""
        text = record.getMessage()
        if record.name == "weasyprint.progress":
            self._progress(text)
        elif text.startswith("Failed to load image"):
            self.losses += MissingContent(images=1)
        elif ".notdef" in text:
            self.losses += MissingContent(glyphs=1)

    def _progress(self, text: str) -> None:
        phase, pages = self._phase, self._pages
        if match := LAYOUT_PAGE.search(text):
            # Pages come again in later passes: the highest number is how far it is.
            phase, pages = "layout", max(pages, self._pages_before + int(match[1]))
        elif text.startswith("Step 6"):
            phase = "draw"
        elif not phase:
            phase = "fetch"
        self._phase, self._pages = phase, pages
        if time.monotonic() - self._said_at > PROGRESS_SECONDS:
            self._said_at = time.monotonic()
            self._say({"phase": phase, "pages": pages})
