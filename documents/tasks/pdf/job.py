"""What all steps that make one PDF share."""

from dataclasses import dataclass
from pathlib import Path

from documents.content.editions import Edition
from documents.infrastructure.slot_queue import Turn
from documents.models import Document
from documents.queue.registry import ReportProgress
from metrics.durations import Monotonic


@dataclass(frozen=True, kw_only=True)
class PdfJob:
    """A PDF to make: of what, in which folder, and until when.

    ``report`` receives each phase and page, and may raise to end the job; ``turn`` is its turn at the render slots.
    """

    document: Document
    edition: Edition
    folder: Path
    deadline: Monotonic
    report: ReportProgress
    turn: Turn

    @property
    def pdf_path(self) -> Path:
        """Where the PDF is written."""
        return self.folder / "document.pdf"
