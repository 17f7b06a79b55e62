"""What the parent and its rendering process say to each other: one JSON object a line, both ways.

The child says ``{"ready": true}`` once it is warm. The parent sends a :data:`Work`, named by its class. The
child answers with any number of ``{"phase": …, "pages": …}`` and one ``{"done": …}`` or
``{"failed": slug, "detail": …}``.
"""

import json
from dataclasses import asdict, dataclass, field

# A base that urljoin knows and no name server does: every address in a document is resolved against it.
BASE_URL = "https://spms.invalid/"


@dataclass(frozen=True, kw_only=True)
class RenderJob:
    """One render: HTML file in, PDF file out; done with a :class:`Rendered`.

    ``images`` maps each address that may be fetched to the path of a local file; nothing else is fetched.
    ``variant`` is ``pdf/ua-1`` or ``pdf/a-3a``; a file at ``source_path`` is attached under the date ``generated_at``.
    ``cpu_seconds`` is the computing time that this render may take.
    """

    html_path: str
    pdf_path: str
    images: dict[str, str] = field(default_factory=dict)
    variant: str = "pdf/ua-1"
    source_path: str = ""
    generated_at: str = ""
    cpu_seconds: int = 120


@dataclass(frozen=True, kw_only=True)
class PartsJob:
    """Parts of a report to draw one after the other; done with a list of :class:`Drawn`.

    ``paths`` are pairs of an HTML file and the part to write. A part appears under its name when all of it is
    written, so what is not there was not drawn; it is not synced to the disk.
    """

    paths: tuple[tuple[str, str], ...]
    images: dict[str, str] = field(default_factory=dict)
    cpu_seconds: int = 120


@dataclass(frozen=True, kw_only=True)
class AssemblyJob:
    """A report to bind: the HTML of its cover and contents, and its parts in order; done with a :class:`Rendered`."""

    html_path: str
    part_paths: tuple[str, ...]
    pdf_path: str
    images: dict[str, str] = field(default_factory=dict)
    cpu_seconds: int = 120


@dataclass(frozen=True, kw_only=True)
class RenderedPdf:
    """A finished PDF file: its pages, size, SHA-256, and what the author should know of it."""

    pages: int
    size_bytes: int
    digest: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RenderedPart:
    """A finished part: its pages, its SHA-256, and whether all its images were there."""

    pages: int
    digest: str
    is_whole: bool


type Job = RenderJob | PartsJob | AssemblyJob

_KINDS: dict[str, type[RenderJob | PartsJob | AssemblyJob]] = {
    kind.__name__: kind for kind in (RenderJob, PartsJob, AssemblyJob)
}


def encode(work: Job) -> bytes:
    """Return the line that hands a piece of work to the child."""
    return json.dumps({"work": type(work).__name__, **asdict(work)}).encode() + b"\n"


def decode(line: str) -> Job:
    """Return the piece of work of a line."""
    values = json.loads(line)
    return _KINDS[values.pop("work")](**values)
