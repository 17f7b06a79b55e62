"""Say what becomes of an image: kept, or missing, and then what its author can do."""

import re
from urllib.parse import unquote

from documents.content.normalising.losses import Losses
from documents.content.normalising.tree import Element
from documents.models import richtext

MAX_NAME_CHARACTERS = 60
UPLOAD = "upload it under Images and put it into the text again"
# An image of megabytes would make its whole text too long to be stored.
LARGE_DATA = re.compile(
    r"data:(?:image/|application/octet-stream)?[^,\"'<>\s]{0,100},"
    rf"[A-Za-z0-9+/=%_\s-]{{{richtext.MAX_DATA_URI_CHARACTERS}}}[A-Za-z0-9+/=%_-]*+",
    re.IGNORECASE,
)
TOO_LARGE = "data:image/too-large,"
BROWSER_ADDRESS = re.compile(r"^(?:blob|cid|content|webkit-fake-url|x-apple-[\w-]+):", re.IGNORECASE)


def without_large_data(html: str) -> str:
    """Return a text with a short address in the place of each image that is too large to be part of it."""
    return LARGE_DATA.sub(TOO_LARGE, html) if len(html) > richtext.MAX_DATA_URI_CHARACTERS else html


def keep(image: Element, losses: Losses) -> Element | None:
    """Return the image to store, without an address if it cannot be printed, or None for a spacer."""
    attributes = image.attributes
    if _is_spacer(attributes):
        return None
    address = (attributes.get("src") or attributes.get("o:href") or "").strip()
    alt, name = " ".join(attributes.get("alt", "").split()), name_of(attributes, address)
    stored = richtext.image_source(address) if address else None
    if stored is not None:
        return Element("img", {"src": stored, "alt": alt})
    losses.add(_reason(address, name))
    return Element("img", {"alt": alt, "title": name})


def missing(name: str) -> str:
    """Return the warning of an image that is missing for a reason that nobody knows any more."""
    return f"the image “{name}” is missing; {UPLOAD}"


def _is_spacer(attributes: dict[str, str]) -> bool:
    return {attributes.get("width"), attributes.get("height")} <= {"0", "1"}


def name_of(attributes: dict[str, str], address: str) -> str:
    """Return what an author knows an image by: its file, or else its alternative text."""
    is_data = address.lower().startswith("data:")
    if not address and "title" in attributes:
        return attributes["title"]
    is_nameless = is_data or bool(BROWSER_ADDRESS.match(address))
    path = "" if is_nameless else unquote(re.split(r"[?#]", address)[0]).replace("\\", "/")
    name = path.rstrip("/").rpartition("/")[2] or attributes.get("title") or attributes.get("alt") or "image"
    return " ".join(name.split())[:MAX_NAME_CHARACTERS]


def _reason(address: str, name: str) -> str:
    """Return a sentence about an image that cannot be printed."""
    scheme = address.partition(":")[0].lower()
    if address == TOO_LARGE:
        return f"the image “{name}” is missing: it is too large to be part of the text; {UPLOAD}"
    if scheme == "data":
        return f"the image “{name}” is missing: it is not PNG, JPEG, GIF or WebP; save it as one of them and {UPLOAD}"
    if scheme in {"http", "https"} or address.startswith("//"):
        return f"the image “{name}” is missing: it is on another site; save it and {UPLOAD}"
    if scheme == "file" or BROWSER_ADDRESS.match(address) or re.match(r"^[a-z]$", scheme):
        return f"the image “{name}” is missing: it stayed on the computer it was copied from; {UPLOAD}"
    return missing(name)
