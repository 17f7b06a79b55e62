"""Read WeasyPrint's log: report progress, and count what is missing from the pages."""

import logging
import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from documents.rendering.missing_content import MissingContent

LAYOUT_PAGE = re.compile(r"Creating layout - Page (\d+)")
UNKNOWN_CHARACTER = re.compile(r"\.notdef glyph .*\(U\+([0-9A-F]+)\)", re.DOTALL)
# A message for every page would wake the parent too often, and it passes on far fewer.
PROGRESS_SECONDS = 0.1

type SendMessage = Callable[[dict[str, Any]], None]


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
        self._lost_images: set[str] = set()
        self.missing = MissingContent()

    def take_characters(self) -> str:
        """Return the characters that no font has, and forget them."""
        characters = "".join(self.missing.characters.values())
        self.missing = replace(self.missing, characters={})
        return characters

    def emit(self, record: logging.LogRecord) -> None:
        """Take one message of the log."""
        text = record.getMessage()
        if record.name == "weasyprint.progress":
            self._progress(text)
        elif text.startswith("Failed to load image"):
            self._count_image(text)
        elif match := UNKNOWN_CHARACTER.search(text):
            self.missing += MissingContent(characters={"": chr(int(match[1], 16))})

    def _count_image(self, text: str) -> None:
        """Count an image, once however often its document is laid out."""
        if text not in self._lost_images:
            self._lost_images.add(text)
            self.missing += MissingContent(images=1)

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
