"""Where the links of a text lead: complete addresses, paths of this site, anchors; anything else is only text."""

import mimetypes
import re
from functools import cache
from html import escape, unescape
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.urls import Resolver404, resolve

from documents.models import richtext

HREF = re.compile(r' href="([^"]*)"')
WEB = frozenset({"http", "https"})
HOST = re.compile(
    r"(?:www\.[^\s/?#:]+|(?:[\w-]+\.)+[^\W\d_]{2,24})(?::[0-9]{1,5})?(?P<rest>[/?#].*)?",
    re.DOTALL | re.IGNORECASE,
)
MAIL = re.compile(r"[^\s@/:]+@(?:[\w-]+\.)+[^\W\d_]{2,24}(?:\?.*)?")
UPWARDS = re.compile(r"(?:\.{1,2}/)+")
# Besides those that Python knows; some are top-level domains, too.
FILE_ENDINGS = frozenset(
    {"7z", "docx", "gpkg", "ipynb", "md", "ods", "odt", "pptx", "r", "rar", "rtf", "shp", "xlsx", "zip"}
)


def complete(address: str) -> str:
    """Return an address with its scheme, a path of this site or an anchor; an empty text if it leads nowhere."""
    address = richtext.CONTROLS.sub("", address).strip()
    if address.startswith("//"):
        address = f"https:{address}"
    if address.startswith(("?", "\\", "/\\")):
        return ""
    if not address or address.startswith(("#", "/")):
        return address
    if (host := HOST.fullmatch(address)) and not _is_file_name(address, host["rest"]):
        return f"https://{address}"
    if scheme := richtext.SCHEME.match(address):
        return _with_target(address, scheme[1].lower())
    if MAIL.fullmatch(address):
        return f"mailto:{address}"
    return _path_of_site(address)


def print_links(attributes: str) -> str:
    """Return the attributes of a stored element with a link that leads to the same place from anywhere, or none."""
    return HREF.sub(_print_link, attributes)


def _print_link(href: re.Match[str]) -> str:
    address = complete(unescape(href[1]))
    if address.startswith("/"):
        address = f"{settings.SPMS_URL}{address}"
    elif address.lower().startswith(("http:", "https:")):
        address = _for_readers(address)
    return f' href="{escape(address)}"' if address else ""


def _with_target(address: str, scheme: str) -> str:
    """Return an address with a scheme, or an empty text if it names no host or mailbox, or leads elsewhere."""
    if scheme in WEB:
        return address if _host_of(address) else ""
    if scheme == "mailto":
        return address if "@" in address else ""
    return ""


def _host_of(address: str) -> str:
    try:
        return urlsplit(address.replace("\\", "/")).hostname or ""
    except ValueError:
        return ""


def _is_file_name(address: str, rest: str | None) -> bool:
    if (rest and rest.startswith("/")) or address.lower().startswith("www."):
        return False
    ending = address.partition("?")[0].partition("#")[0].rpartition(".")[2].lower()
    return ending in FILE_ENDINGS or f".{ending}" in _types_of_files()


@cache
def _types_of_files() -> dict[str, str]:
    return mimetypes.MimeTypes(filenames=()).types_map[True]


def _path_of_site(address: str) -> str:
    """Return the path of a page of this site from its root, or an empty text for other relative addresses."""
    path = f"/{UPWARDS.sub('', address)}"
    try:
        resolve(re.split("[?#]", path, maxsplit=1)[0])
    except Resolver404:
        return ""
    return path


def _for_readers(address: str) -> str:
    """Return an address of the web with slashes and a host that every reader of PDFs knows."""
    parts = urlsplit(address.replace("\\", "/"))
    if parts.netloc.isascii():
        return urlunsplit(parts)
    try:
        return urlunsplit(parts._replace(netloc=parts.netloc.encode("idna").decode()))
    except UnicodeError:  # it is no host; readers show it as it is
        return address
