"""Make images of a document of those that its author pasted into the text, so that they are prepared for print."""

import base64
import binascii
import io
import re
from collections.abc import Mapping
from html import unescape

from django.core.exceptions import ValidationError

from documents.exceptions import SpmsError
from documents.models import Document
from documents.tasks.images import attachments

DATA_IMAGE = re.compile(r'<img src="data:image/[a-z]+;base64,([A-Za-z0-9+/=\s]+)"(?: alt="([^"]*)")?')
MAX_CAPTION_CHARACTERS = 300


def adopt(document: Document, sections: Mapping[str, str]) -> dict[str, str]:
    """Return normalised sections with the address of an image in the place of each ``data:`` URI.

    An image that cannot be prepared or stored stays in the text as it is.
    """
    return {
        key: DATA_IMAGE.sub(lambda image: _with_address(document, image), html)
        for key, html in sections.items()
    }


def _with_address(document: Document, image: re.Match[str]) -> str:
    caption = unescape(image[2] or "")[:MAX_CAPTION_CHARACTERS]
    try:
        content = io.BytesIO(base64.b64decode(image[1]))
        address = attachments.attach(document, content, caption=caption).url
    except (binascii.Error, ValidationError, SpmsError):
        return image[0]
    return f'<img src="{address}" alt="{image[2] or ""}"'
