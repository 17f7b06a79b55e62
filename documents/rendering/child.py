"""The rendering process: warm, one render at a time, and never alive without its parent.

Started as ``python -m documents.rendering.child PARENT_PID MEMORY_BYTES`` in a private folder. It knows
neither Django nor the database; see ``messages`` for what it reads and writes.
"""

import ctypes
import gc
import hashlib
import json
import logging
import os
import re
import resource
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from weasyprint import CSS, HTML, Attachment
from weasyprint.text.fonts import FontConfiguration

from documents.rendering.fetcher import AllowListFetcher
from documents.rendering.messages import BASE_URL, Job, Rendered

PDF_UA = "pdf/ua-1"
# An archive wants pictures as they are: no smoothing by the reader's program.
ARCHIVE_CSS = "img { image-rendering: crisp-edges }"
STYLESHEET = Path(__file__).parent / "report.css"
LAYOUT_PAGE = re.compile(r"Creating layout - Page (\d+)")
PR_SET_PDEATHSIG = 1
NICENESS = 5
# Telling the parent of every page would wake it for each; it passes on far fewer.
PROGRESS_SECONDS = 0.1
WARM_UP = "<html lang=en-AU><title>Warm</title><h1>Warm</h1><p><b>up</b> <i>hyphenation</i>"

# What WeasyPrint lets through when a document is beyond it, and the reason to give.
BEYOND_LAYOUT: dict[type[BaseException], str] = {
    RecursionError: "Its elements are nested too deeply.",
    ZeroDivisionError: "It uses a size that cannot be laid out.",
    OverflowError: "It uses a size that cannot be laid out.",
    UnicodeError: "It has characters that cannot be written.",
}

type Say = Callable[[dict[str, Any]], None]


def main() -> None:
    """Serve renders from standard input until it closes."""
    parent_pid, memory_bytes = int(sys.argv[1]), int(sys.argv[2])
    _die_with(parent_pid)
    _limit_memory(memory_bytes)
    os.nice(NICENESS)  # a web process answers before a page is laid out
    say = _speaker()
    renderer = Renderer(say)
    say({"ready": True})
    for line in sys.stdin:
        say(renderer.answer(Job(**json.loads(line))))
        gc.collect()


class Renderer:
    """Keeps what is slow to make: fonts (one configuration a process: it is not thread-safe), stylesheet."""

    def __init__(self, say: Say) -> None:
        self._fonts = FontConfiguration()
        self._stylesheet = CSS(filename=STYLESHEET, font_config=self._fonts)
        self._archive = CSS(string=ARCHIVE_CSS)
        self._fetcher = AllowListFetcher()
        HTML(string=WARM_UP).write_pdf(
            font_config=self._fonts, stylesheets=[self._stylesheet], pdf_variant=PDF_UA
        )
        # Cyclic garbage is collected between renders: a fifth faster on long documents.
        gc.disable()
        gc.collect()
        gc.freeze()
        self._log = RenderLog(say)

    def answer(self, job: Job) -> dict[str, Any]:
        """Render and return the message that ends the job."""
        try:
            return {"done": asdict(self.render(job))}
        except MemoryError:
            return {
                "failed": "render-out-of-memory",
                "detail": "It needs more memory than a render may take.",
            }
        except OSError as error:
            if error.errno is None:  # WeasyPrint's own, of an address that it may not fetch
                return {"failed": "document-unrenderable", "detail": _reason(error)}
            return {"failed": "os-error", "errno": error.errno, "detail": error.strerror or str(error)}
        except Exception as error:  # noqa: BLE001 (the boundary of the process)
            return {"failed": "document-unrenderable", "detail": _reason(error)}

    def render(self, job: Job) -> Rendered:
        """Lay out and draw one document into ``job.pdf_path``, complete and synced when this returns."""
        _limit_cpu(job.cpu_seconds)
        self._fetcher.allow(job.images)
        self._log.start()
        with Path(job.html_path).open("rb") as stream:
            html = HTML(file_obj=stream, encoding="utf-8", base_url=BASE_URL, url_fetcher=self._fetcher)
        document = html.render(
            font_config=self._fonts, stylesheets=self._stylesheets(job.variant), pdf_variant=job.variant
        )
        size_bytes, digest = _write(document, job)
        return Rendered(
            pages=len(document.pages), size_bytes=size_bytes, digest=digest, warnings=self._log.warnings()
        )

    def _stylesheets(self, variant: str) -> list[CSS]:
        return [self._stylesheet] if variant == PDF_UA else [self._stylesheet, self._archive]


class RenderLog(logging.Handler):
    """Hears WeasyPrint's log: progress for whoever waits, warnings for the author."""

    def __init__(self, say: Say) -> None:
        super().__init__()
        self._say = say
        self.start()
        for name, level in (("weasyprint", logging.WARNING), ("weasyprint.progress", logging.INFO)):
            logger = logging.getLogger(name)
            logger.handlers, logger.propagate = [self], False
            logger.setLevel(level)

    def start(self) -> None:
        """Forget the last render."""
        self._said_at = time.monotonic()
        self._pages = 0
        self._phase = ""
        self._lost_images = 0
        self._lost_glyphs = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Take one message of the log."""
        text = record.getMessage()
        if record.name == "weasyprint.progress":
            self._progress(text)
        elif text.startswith("Failed to load image"):
            self._lost_images += 1
        elif ".notdef" in text:
            self._lost_glyphs += 1

    def warnings(self) -> tuple[str, ...]:
        """Return what the author should know, as sentences."""
        found = (
            (self._lost_images, "image(s) could not be shown; upload them to this document."),
            (self._lost_glyphs, "character(s) are in none of our fonts and print as boxes."),
        )
        return tuple(f"{count} {text}" for count, text in found if count)

    def _progress(self, text: str) -> None:
        phase, pages = self._phase, self._pages
        if match := LAYOUT_PAGE.search(text):
            # Pages come again in later passes: the highest number is how far it is.
            phase, pages = "layout", max(pages, int(match[1]))
        elif text.startswith("Step 6"):
            phase = "draw"
        elif not phase:
            phase = "fetch"
        self._phase, self._pages = phase, pages
        if time.monotonic() - self._said_at > PROGRESS_SECONDS:
            self._said_at = time.monotonic()
            self._say({"phase": phase, "pages": pages})


class HashingWriter:
    """A binary file that knows its size and SHA-256."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("wb")
        self._sha256 = hashlib.sha256()
        self.size_bytes = 0

    def write(self, data: bytes) -> int:
        """Write all of ``data``."""
        self._sha256.update(data)
        self.size_bytes += len(data)
        return self._stream.write(data)

    def close(self) -> str:
        """Sync to the disk, close, and return the digest."""
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()
        return self._sha256.hexdigest()


def _write(document: Any, job: Job) -> tuple[int, str]:
    writer = HashingWriter(Path(job.pdf_path))
    document.write_pdf(
        writer, pdf_variant=job.variant, attachments=[_source(job)] if job.source_path else None
    )
    return writer.size_bytes, writer.close()


def _source(job: Job) -> Attachment:
    """Return what the document was made from, with a date of its own: equal input gives equal files."""
    generated_at = datetime.fromisoformat(job.generated_at).astimezone(UTC)
    return Attachment(
        filename=job.source_path,
        name=Path(job.source_path).name,
        description="What this document was made from",
        created=generated_at,
        modified=generated_at,
        relationship="Source",
    )


def _reason(error: Exception) -> str:
    """Return a sentence for the author."""
    found = (text for kind, text in BEYOND_LAYOUT.items() if isinstance(error, kind))
    return next(found, f"The layout stopped at {type(error).__name__}: {str(error)[:200]}")


def _die_with(parent_pid: int) -> None:
    """Ask the kernel to end this process with the thread that started it, at once."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        sys.exit("the parent is gone")


def _limit_memory(memory_bytes: int) -> None:
    """Bound what the process may allocate, as a backstop: the parent watches the memory in use."""
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_cpu(cpu_seconds: int) -> None:
    """Allow so much more computing time; past it the kernel ends the process with SIGXCPU."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + cpu_seconds + 1
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))


def _speaker() -> Say:
    """Keep standard output for messages; whatever else prints goes to standard error."""
    stream: TextIO = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(message: dict[str, Any]) -> None:
        stream.write(json.dumps(message) + "\n")
        stream.flush()

    return say


if __name__ == "__main__":
    main()
