"""Give the images of a text that have no alternative text of their own that of the uploaded image."""

import re
from html import escape

from documents.models import Document

IMAGE = re.compile(r'<img((?: [a-z-]+="[^"]*")*)>')
SOURCE = re.compile(r' src="([^"]*)"')
ALTERNATIVE = re.compile(r' alt="([^"]*)"')


def with_alternatives(html: str, document: Document) -> str:
    """Return a sanitised text whose images say what they show: as the author wrote, or as the upload says."""
    if not any(map(_lacks_text, IMAGE.findall(html))):
        return html
    texts = {image.url: image.alternative_text for image in document.images.all()}
    return IMAGE.sub(lambda image: _with_text(image[1], texts), html)


def _lacks_text(attributes: str) -> bool:
    stated = ALTERNATIVE.search(attributes)
    return stated is None or not stated[1].strip()


def _with_text(attributes: str, texts: dict[str, str]) -> str:
    source = SOURCE.search(attributes)
    if source and _lacks_text(attributes):
        text = escape(texts.get(source[1], ""))
        attributes = f'{ALTERNATIVE.sub("", attributes)} alt="{text}"'
    return f"<img{attributes}>"
