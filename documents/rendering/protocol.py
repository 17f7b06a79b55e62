"""The messages between a parent and its rendering process: one JSON object per line, both ways.

The child sends ``{"ready": true}`` once it is warm. The parent sends a :data:`Job`, named by its class. The
child answers with any number of ``{"phase": …, "pages": …}`` and one ``{"done": …}`` or
``{"failed": slug, "detail": …}``.
"""

import json
from dataclasses import asdict, dataclass, field

from documents.task_warnings import TaskWarning

# Addresses in a document are resolved against this base; its host does not exist.
BASE_URL = "https://spms.invalid/"


@dataclass(frozen=True, kw_only=True)
class RenderJob:
    """One render: HTML file in, PDF file out; the result is a :class:`RenderedPdf`.

    ``images`` maps each address that may be fetched to the path of a local file; nothing else is fetched.
    A file at ``source_path`` is attached under the date ``generated_at``.
    ``cpu_seconds`` limits the CPU time of this render.
    """

    html_path: str
    pdf_path: str
    images: dict[str, str] = field(default_factory=dict)
    source_path: str = ""
    generated_at: str = ""
    cpu_seconds: int = 120


@dataclass(frozen=True, kw_only=True)
class PartsJob:
    """Parts of a report to draw one after the other; the result is a list of :class:`RenderedPart`.

    ``paths`` are pairs of an HTML file and the part to write. A part appears under its name once it is complete;
    it is not synced to the disk.
    """

    paths: tuple[tuple[str, str], ...]
    images: dict[str, str] = field(default_factory=dict)
    cpu_seconds: int = 120


@dataclass(frozen=True, kw_only=True)
class AssemblyJob:
    """A report to assemble from the HTML of its cover and contents and its parts in order.

    The result is a :class:`RenderedPdf`.
    """

    html_path: str
    part_paths: tuple[str, ...]
    pdf_path: str
    images: dict[str, str] = field(default_factory=dict)
    cpu_seconds: int = 120


@dataclass(frozen=True, kw_only=True)
class RenderedPdf:
    """A finished PDF file: its number of pages, size, SHA-256, and warnings for the author.

    The parent adds ``waited_seconds``, the time until the job had a render slot.
    """

    pages: int
    size_bytes: int
    digest: str
    warnings: tuple[TaskWarning, ...] = ()
    waited_seconds: float = field(default=0.0, compare=False)


@dataclass(frozen=True, kw_only=True)
class RenderedPart:
    """A finished part: its number of pages, its SHA-256, and whether no image is missing."""

    pages: int
    digest: str
    is_whole: bool


type Job = RenderJob | PartsJob | AssemblyJob

_JOB_TYPES: dict[str, type[RenderJob | PartsJob | AssemblyJob]] = {
    job_type.__name__: job_type for job_type in (RenderJob, PartsJob, AssemblyJob)
}


def encode(job: Job) -> bytes:
    """Return the line that sends a job to the child."""
    return json.dumps({"job": type(job).__name__, **asdict(job)}).encode() + b"\n"


def decode(line: str) -> Job:
    """Return the job of a line."""
    values = json.loads(line)
    return _JOB_TYPES[values.pop("job")](**values)
