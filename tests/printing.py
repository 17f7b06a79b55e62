"""Print one text as a section of a document, without the database, and read the PDF."""

import contextlib
import time
from types import SimpleNamespace

import pypdfium2

from documents.content.blocks import SectionBlock
from documents.content.normalising import normalise_html
from documents.content.print_form import to_print_form
from documents.rendering import html, pool
from documents.rendering.protocol import RenderJob

COVER = SimpleNamespace(project=True)
TITLE = "Methods"


def print_text(folder, text, *, is_stored=False):
    """Return the PDF of a text, and what the render said of it; ``is_stored`` skips the normalising."""
    stored = text if is_stored else normalise_html(text).html
    return print_block(folder, SectionBlock(anchor="methods", title=TITLE, html=to_print_form(stored, "x-")))


def print_block(folder, block):
    """Return the PDF of a block, and what the render said of it."""
    page, target = folder / "page.html", folder / "page.pdf"
    with page.open("w", encoding="utf-8") as stream:
        html.write_part(stream, title="A text", cover=COVER, blocks=[block])
    job = RenderJob(html_path=str(page), pdf_path=str(target), cpu_seconds=1000)
    rendered = pool.get_pool().render(job, deadline=time.monotonic() + 1000, report=lambda *_: None)
    return target.read_bytes(), rendered


def page_texts(pdf):
    """Return the text of each page."""
    with contextlib.closing(pypdfium2.PdfDocument(pdf)) as document:
        return [page.get_textpage().get_text_range() for page in document]


def characters_off_the_page(pdf):
    """Return the characters that are not wholly on a page."""
    with contextlib.closing(pypdfium2.PdfDocument(pdf)) as document:
        return "".join(text for page in document for text in _off(page))


def _off(page):
    width, height = page.get_size()
    text = page.get_textpage()
    for number in range(text.count_chars()):
        left, bottom, right, top = text.get_charbox(number)
        if left < 0 or bottom < 0 or right > width or top > height:
            yield text.get_text_range(number, 1)
