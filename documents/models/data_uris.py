"""Images in ``data:`` addresses: in any spelling that browsers show, and in the one that is stored."""

import base64
import binascii
import re
from urllib.parse import unquote, unquote_to_bytes

ADDRESS = re.compile(r"data:([^,]*),(.*)", re.IGNORECASE | re.DOTALL)
STORED = re.compile(
    r"data:image/(?:png|jpeg|gif|webp);base64,"
    r"(?=[A-Za-z0-9+/])(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"
)
SHOWN_TYPES = re.compile(r"(?:image/[a-z0-9.+-]+|application/octet-stream)?", re.IGNORECASE)
# How an image begins, whatever its address calls it.
SIGNATURES = {
    "png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "jpeg": re.compile(rb"\xff\xd8\xff"),
    "gif": re.compile(rb"GIF8[79]a"),
    "webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
}
NAMES = {"image/jpg": "jpeg", "image/pjpeg": "jpeg", "image/x-png": "png"}
NAMES |= {f"image/{name}": name for name in SIGNATURES}
MAX_EXPANSION = 3  # a percent-encoded character for each that is stored


def canonical(value: str, *, max_characters: int) -> str | None:
    """Return the address of a PNG, JPEG, GIF or WebP as it is stored, or None for anything else or longer."""
    address = value.strip()
    if len(address) > MAX_EXPANSION * max_characters:
        return None
    stored = address if STORED.fullmatch(address) else _rewritten(address)
    return stored if stored is not None and len(stored) <= max_characters else None


def _rewritten(address: str) -> str | None:
    if (match := ADDRESS.fullmatch(address)) is None:
        return None
    media_type, *parameters = (part.strip().lower() for part in unquote(match[1]).split(";"))
    if not SHOWN_TYPES.fullmatch(media_type):
        return None
    content = _decoded(match[2]) if "base64" in parameters else unquote_to_bytes(match[2])
    names = (name for name, signature in SIGNATURES.items() if signature.match(content or b""))
    name = next(names, NAMES.get(media_type))
    return f"data:image/{name};base64,{base64.b64encode(content).decode()}" if name and content else None


def _decoded(text: str) -> bytes | None:
    """Return what a base64 text holds, in either alphabet and with or without its padding."""
    digits = "".join(unquote(text).split()).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
