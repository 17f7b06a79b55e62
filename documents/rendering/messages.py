"""What the parent and its rendering process say to each other: one JSON object a line, both ways.

The child says ``{"ready": true}`` once it is warm. The parent sends a :class:`Job`. The child answers
with any number of ``{"phase": …, "pages": …}`` and one ``{"done": Rendered}`` or
``{"failed": slug, "detail": …}``.
"""

from dataclasses import dataclass, field

# A base that urljoin knows and no name server does: every address in a document is resolved against it.
BASE_URL = "https://spms.invalid/"


@dataclass(frozen=True, kw_only=True)
class Job:
    """One render: HTML file in, PDF file out.

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
class Rendered:
    """A finished PDF file: its pages, size, SHA-256, and what the author should know of it."""

    pages: int
    size_bytes: int
    digest: str
    warnings: tuple[str, ...] = ()
