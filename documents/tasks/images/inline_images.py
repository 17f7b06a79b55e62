"""Make images of a document of those that its author pasted into the text, so that they are prepared for print."""

import base64
import binascii
import io
import re
from collections.abc import Mapping
from functools import partial
from html import escape, unescape

from django.core.exceptions import ValidationError

from documents.content.normalising.images import name_of
from documents.content.normalising.losses import Losses, TextWarning
from documents.exceptions import SpmsError
from documents.models import Document
from documents.tasks.images import attachments

DATA_IMAGE = re.compile(r'<img src="(data:image/[a-z]+;base64,([A-Za-z0-9+/=\s]+))"(?: alt="([^"]*)")?')
MAX_CAPTION_CHARACTERS = 300


def adopt(document: Document, sections: Mapping[str, str]) -> tuple[dict[str, str], tuple[TextWarning, ...]]:
    """Return normalised sections with the address of an image in the place of each ``data:`` URI, and warnings.

    An unusable image loses its address, with a warning. One that cannot be prepared or stored at the moment stays
    in the text as it is.
    """
    adopted: dict[str, str] = {}
    warnings: list[TextWarning] = []
    for key, html in sections.items():
        losses = Losses()
        adopted[key] = DATA_IMAGE.sub(partial(_adopted, document, losses), html)
        warnings += losses.warnings(key)
    return adopted, tuple(warnings)


def _adopted(document: Document, losses: Losses, image: re.Match[str]) -> str:
    alt = image[3] or ""
    name = name_of({"alt": unescape(alt)}, image[1][:20])
    try:
        content = io.BytesIO(base64.b64decode(image[2]))
        text = unescape(alt)[:MAX_CAPTION_CHARACTERS]
        stored = attachments.attach(document, content, caption=text, alternative=text)
    except (binascii.Error, ValidationError) as error:
        losses.add(f"the image “{name}” is missing: {_reason(error)}")
        return f'<img alt="{alt}" title="{escape(name)}"'
    except SpmsError:
        return image[0]
    if stored.note:
        losses.add(f"the image “{name}”: {_clause(stored.note)}")
    return f'<img src="{stored.url}" alt="{alt}"'


def _reason(error: Exception) -> str:
    return _clause(" ".join(error.messages)) if isinstance(error, ValidationError) else "it is damaged"


def _clause(sentence: str) -> str:
    """Return a sentence as the second half of another."""
    return f"{sentence[:1].lower()}{sentence[1:]}".removesuffix(".")
