"""Write the HTML of a document from templates and texts; ``report.css`` styles it."""

import functools
import hashlib
from collections.abc import Iterable
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from django.template.loader import render_to_string

from documents.rendering import fallback_fonts

HERE = Path(__file__).parent
NOT_READY = HERE / "not-ready.png"  # replaces an image that is still being prepared
SHAPING = ("break_opportunities.py", "indents.py", "page_text.py", "table_repairs.py")
# Keys are class names of ``documents.content.blocks``, which this package does not import.
TEMPLATES = {
    "SectionBlock": "pdf/section.html",
    "AreaBlock": "pdf/area.html",
    "ChapterBlock": "pdf/chapter.html",
    "ProjectListBlock": "pdf/projects.html",
    "NoteBlock": "pdf/note.html",
}


@functools.cache
def design_version() -> str:
    """Return the SHA-256 of everything that shapes the pages.

    These are templates, stylesheet, fonts, WeasyPrint's version, and the modules that change the text or its layout.
    """
    sha256 = hashlib.sha256(version("weasyprint").encode())
    designs = (*HERE.glob("*.css"), *HERE.glob("fonts/*"), *HERE.parent.glob("templates/pdf/*"))
    for path in sorted((*designs, *(HERE / name for name in SHAPING))):
        sha256.update(path.name.encode() + b"\0" + path.read_bytes())
    for checksum in fallback_fonts.checksums():
        sha256.update(checksum)
    return sha256.hexdigest()


def write_document(
    stream: IO[str], *, cover: Any, contents: Iterable[Any], blocks: Iterable[Any], generated_at: datetime
) -> None:
    """Write one document's HTML to a text stream, block by block.

    ``cover``, ``contents`` and ``blocks`` are values of ``documents.content.blocks``.
    """
    context = {"cover": cover, "generated_at": generated_at}
    stream.write(render_to_string("pdf/head.html", {**context, "contents": contents}))
    for block in blocks:
        stream.write(render_to_string(TEMPLATES[type(block).__name__], {**context, "block": block}))
    stream.write(render_to_string("pdf/foot.html", context))


def write_part(stream: IO[str], *, title: str, cover: Any, blocks: Iterable[Any]) -> None:
    """Write the HTML of a part of a report; its blocks look the same as in the whole report."""
    stream.write(render_to_string("pdf/part_head.html", {"title": title}))
    for block in blocks:
        stream.write(render_to_string(TEMPLATES[type(block).__name__], {"cover": cover, "block": block}))
    stream.write(render_to_string("pdf/foot.html"))
