"""The rendering process: it stays warm, does one job at a time, and ends with its parent.

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
from documents.rendering.drafts import Draft
from documents.rendering.layout import LayoutEngine
from documents.rendering.protocol import AssemblyJob, Job, PartsJob, RenderedPdf, RenderJob, decode
from documents.rendering.render_log import RenderLog, SendMessage

NICENESS = 5

# Errors that WeasyPrint raises for a document that it cannot lay out, and the reasons to show.
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
    os.nice(NICENESS)  # web processes take precedence
    send = _open_channel()
    renderer = Renderer(send)
    send({"ready": True})
    for line in sys.stdin:
        send(renderer.answer(decode(line)))
        gc.collect()


class Renderer:
    """Does one job at a time with the same layout engine."""

    def __init__(self, send: SendMessage) -> None:
        self._engine = LayoutEngine()
        self._log = RenderLog(send)

    def answer(self, job: Job) -> dict[str, Any]:
        """Do a job and return the message that ends it."""
        try:
            return {"done": self.do(job)}
        except MemoryError:
            return {
                "failed": "render-out-of-memory",
                "detail": "It needs more memory than a render may take.",
            }
        except weasyprint_internals.WeasyPrintIncompatible as error:
            return {"failed": "binding-unsupported", "detail": str(error)}
        except OSError as error:
            if error.errno is None:  # from WeasyPrint, about an address that it may not fetch
                return {"failed": "document-unrenderable", "detail": _reason(error)}
            return {"failed": "os-error", "errno": error.errno, "detail": error.strerror or str(error)}
        except Exception as error:  # noqa: BLE001 (the boundary of the process)
            return {"failed": "document-unrenderable", "detail": _reason(error)}

    def do(self, job: Job) -> Any:
        """Do a job and return its result as values for JSON. Raises whatever stops the job."""
        processes.limit_cpu(job.cpu_seconds)
        self._engine.fetcher.allow(job.images)
        self._log.start()
        if isinstance(job, PartsJob):
            return [asdict(part) for part in parts.render_parts(self._engine, job, self._log)]
        if isinstance(job, AssemblyJob):
            return asdict(self._assemble(job))
        return asdict(self._render(job))

    def _assemble(self, job: AssemblyJob) -> RenderedPdf:
        """Assemble a report. An unexpected error is no fault of the authors: the report can be rendered as a whole."""
        try:
            return assembly.assemble(self._engine, job, self._log)
        except (MemoryError, OSError, weasyprint_internals.WeasyPrintIncompatible):
            raise
        except Exception as error:
            raise weasyprint_internals.WeasyPrintIncompatible(_reason(error)) from error

    def _render(self, job: RenderJob) -> RenderedPdf:
        """Lay out and draw one document into ``job.pdf_path``, complete and synced when this returns."""
        draft = Draft(self._engine, job.html_path, self._log)
        attachments = [_source(job)] if job.source_path else None

        def write(document: Any) -> tuple[int, str, int]:
            digest, size_bytes = layout.render_pdf(document, Path(job.pdf_path), attachments=attachments)
            return len(document.pages), digest, size_bytes

        pages, digest, size_bytes = draft.draw(write)
        return RenderedPdf(
            pages=pages, size_bytes=size_bytes, digest=digest, warnings=draft.missing.warnings()
        )


def _source(job: RenderJob) -> Attachment:
    """Return the source of the document with its own date, so that equal input gives equal files."""
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
    """Have the kernel kill this process as soon as the thread that started it ends."""
    processes.end_with_parent()
    if os.getppid() != parent_pid:
        sys.exit("the parent is gone")


def _limit_memory(memory_bytes: int) -> None:
    """Limit the memory, as a backstop to the parent's watch; allow as many open files as the system does."""
    processes.limit_memory(memory_bytes)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (most, most)
    )  # a report is assembled from hundreds of open files


def _open_channel() -> SendMessage:
    """Return a function that sends a message to the parent; all other output goes to standard error.

    Messages go to the original standard output.
    """
    stream: TextIO = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def send(message: dict[str, Any]) -> None:
        stream.write(json.dumps(message) + "\n")
        stream.flush()

    return send


if __name__ == "__main__":
    main()
