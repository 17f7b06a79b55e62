"""The rendering process: warm, one render at a time, and never alive without its parent.

Started as ``python -m documents.rendering.child PARENT_PID MEMORY_BYTES`` in a private folder. It knows
neither Django nor the database; see ``protocol`` for the messages it reads and writes.
"""

import gc
import json
import os
import resource
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from weasyprint import Attachment

from documents.infrastructure import processes
from documents.rendering import assembly, layout, parts, weasyprint_internals
from documents.rendering.layout import LayoutEngine
from documents.rendering.protocol import AssemblyJob, Job, PartsJob, RenderedPdf, RenderJob, decode
from documents.rendering.render_log import RenderLog, Say

NICENESS = 5
# An archive wants pictures as they are: no smoothing by the reader's program.
ARCHIVE_CSS = "img { image-rendering: crisp-edges }"

# What WeasyPrint lets through when a document is beyond it, and the reason to give.
BEYOND_LAYOUT: dict[type[BaseException], str] = {
    RecursionError: "Its elements are nested too deeply.",
    ZeroDivisionError: "It uses a size that cannot be laid out.",
    OverflowError: "It uses a size that cannot be laid out.",
    UnicodeError: "It has characters that cannot be written.",
}


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
        say(renderer.answer(decode(line)))
        gc.collect()


class Renderer:
    """Does one piece of work at a time; what is slow to make is kept."""

    def __init__(self, say: Say) -> None:
        self._setter = LayoutEngine()
        self._log = RenderLog(say)

    def answer(self, work: Job) -> dict[str, Any]:
        """Do a piece of work and return the message that ends it."""
        try:
            return {"done": self.do(work)}
        except MemoryError:
            return {
                "failed": "render-out-of-memory",
                "detail": "It needs more memory than a render may take.",
            }
        except weasyprint_internals.WeasyPrintIncompatible as error:
            return {"failed": "binding-unsupported", "detail": str(error)}
        except OSError as error:
            if error.errno is None:  # WeasyPrint's own, of an address that it may not fetch
                return {"failed": "document-unrenderable", "detail": _reason(error)}
            return {"failed": "os-error", "errno": error.errno, "detail": error.strerror or str(error)}
        except Exception as error:  # noqa: BLE001 (the boundary of the process)
            return {"failed": "document-unrenderable", "detail": _reason(error)}

    def do(self, work: Job) -> Any:
        """Do a piece of work and return what the parent gets of it, as values for JSON."""
        _limit_cpu(work.cpu_seconds)
        self._setter.fetcher.allow(work.images)
        self._log.start()
        if isinstance(work, PartsJob):
            return [asdict(drawn) for drawn in parts.render_part(self._setter, work, self._log)]
        if isinstance(work, AssemblyJob):
            return asdict(self._bind(work))
        return asdict(self._render(work))

    def _bind(self, work: AssemblyJob) -> RenderedPdf:
        """Bind a report; what goes wrong is no author's fault, and the report can still be made as a whole."""
        try:
            return assembly.assemble(self._setter, work, self._log)
        except (MemoryError, OSError, weasyprint_internals.WeasyPrintIncompatible):
            raise
        except Exception as error:
            raise weasyprint_internals.WeasyPrintIncompatible(_reason(error)) from error

    def _render(self, job: RenderJob) -> RenderedPdf:
        """Lay out and draw one document into ``job.pdf_path``, complete and synced when this returns."""
        css = [self._setter.css(ARCHIVE_CSS)] if job.variant != layout.PDF_UA else []
        document = self._setter.lay_out(self._setter.read(job.html_path), *css, variant=job.variant)
        attachments = [_source(job)] if job.source_path else None
        digest, size_bytes = layout.render_pdf(
            document, Path(job.pdf_path), variant=job.variant, attachments=attachments
        )
        return RenderedPdf(
            pages=len(document.pages),
            size_bytes=size_bytes,
            digest=digest,
            warnings=self._log.losses.warnings(),
        )


def _source(job: RenderJob) -> Attachment:
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
    reasons = (text for kind, text in BEYOND_LAYOUT.items() if isinstance(error, kind))
    return next(reasons, f"The layout stopped at {type(error).__name__}: {str(error)[:200]}")


def _die_with(parent_pid: int) -> None:
    """Ask the kernel to end this process with the thread that started it, at once."""
    processes.end_with_parent()
    if os.getppid() != parent_pid:
        sys.exit("the parent is gone")


def _limit_memory(memory_bytes: int) -> None:
    """Bound what the process may allocate, as a backstop (the parent watches it); files it may open many."""
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a report is bound from hundreds of open files


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
