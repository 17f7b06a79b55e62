"""Give the images of a text that have no alternative text of their own that of the uploaded image."""

import re
from html import escape

from documents.models import Document

IMAGE = re.compile(r'<img((?: [a-z-]+="[^"]*")*)>')
SOURCE = re.compile(r' src="([^"]*)"')
WITHOUT_TEXT = ' alt=""'


def with_alternatives(html: str, document: Document) -> str:
    """Return a sanitised text whose images say what they show: as the author wrote, or as the upload says."""
    if WITHOUT_TEXT not in html:
        return html
    texts = {image.url: image.alternative_text for image in document.images.all()}

    def with_text(image: re.Match[str]) -> str:
        source = SOURCE.search(image[1])
        text = texts.get(source[1], "") if source else ""
        return image[0].replace(WITHOUT_TEXT, f' alt="{escape(text)}"', 1)

    return IMAGE.sub(with_text, html)
