"""Replace what cannot be printed as it is: videos by links, equations by text, forms by their values."""

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from documents.content.normalising import images, maths
from documents.content.normalising.losses import Losses
from documents.content.normalising.tree import (
    Element,
    Node,
    elements_in,
    has_blocks,
    iter_elements,
    text_of,
    wrapped,
)
from documents.models import markup

YOUTUBE = re.compile(r"^(?:https?:)?//(?:www\.)?youtube(?:-nocookie)?\.com/(?:embed|v|shorts)/([\w-]+)")
VIMEO = re.compile(r"^(?:https?:)?//player\.vimeo\.com/video/(\d+)")
DRAWING = "a drawing (SVG) is missing: save it as PNG, upload it under Images and put it into the text again"
MISSING = "is missing: upload a picture of it under Images and put it into the text"
NAMES = {"video": "a video", "audio": "a sound"}
FIELD = "a form field is missing: only its text is printed"

type Replacement = Callable[[Element, Losses], list[Node]]


def replace(root: Element, losses: Losses) -> None:
    """Replace all embedded things in ``root``."""
    children: list[Node] = []
    for child in root.children:
        if isinstance(child, str):
            children.append(child)
        elif (replacement := REPLACEMENTS.get(child.tag)) is not None:
            children.extend(wrapped(node, child.wraps) for node in replacement(child, losses))
        else:
            # A picture of a bullet is a marker, as a sign is.
            replace(child, Losses() if child.style.get("mso-list") == "ignore" else losses)
            children.extend(_formula(child))
    root.children = children


def _formula(element: Element) -> list[Node]:
    """Return an element, with its formula as text if it has one and nothing else to show."""
    source = element.attributes.get("data-latex") or element.attributes.get("data-value", "")
    is_formula = "data-latex" in element.attributes or element.has_class("ql-formula")
    if is_formula and source and not text_of(element).strip():
        element.children = [source]
    return [element]


def _image(image: Element, losses: Losses) -> list[Node]:
    kept = images.keep(image, losses)
    return [kept] if kept else []


def _picture(picture: Element, losses: Losses) -> list[Node]:
    return [node for child in elements_in(picture) if child.tag == "img" for node in _image(child, losses)]


def _media(media: Element, losses: Losses) -> list[Node]:
    """Return the link to a video, a sound or a page that is shown in a frame."""
    address = _address(media)
    if address:
        title = " ".join(media.attributes.get("title", "").split())
        return [" ", Element("a", {"href": address}, children=[title or address]), " "]
    losses.add(f"{NAMES.get(media.tag, 'an embedded object')} {MISSING}")
    return []


def _address(media: Element) -> str:
    """Return the address under which a person sees what is embedded, or an empty text if it has none."""
    names = ("src", "data", "url", "data-src")
    candidates = [media, *(child for child in elements_in(media) if child.tag in {"source", "embed"})]
    found = (element.attributes.get(name, "").strip() for element in candidates for name in names)
    return next((watchable for address in found if (watchable := watch_address(address))), "")


def watch_address(address: str) -> str:
    """Return the page of an embedded video, or the address itself if it is one of the web."""
    if match := YOUTUBE.match(address):
        return f"https://www.youtube.com/watch?v={match[1]}"
    if match := VIMEO.match(address):
        return f"https://vimeo.com/{match[1]}"
    if address.startswith("//"):
        address = f"https:{address}"
    return address if address.lower().startswith(("http://", "https://")) else ""


def unwrapped_link(address: str) -> str:
    """Return where a link of Google Docs leads, without the detour over Google."""
    if not address.startswith("https://www.google.com/url?"):
        return address
    target = parse_qs(urlsplit(address).query).get("q", [""])[0]
    return target if target.startswith(("http://", "https://")) else address


def _drawing(_drawing: Element, losses: Losses) -> list[Node]:
    losses.add(DRAWING)
    return []


def _math(math: Element, _losses: Losses) -> list[Node]:
    return maths.to_text(math)


def _field(field: Element, losses: Losses) -> list[Node]:
    kind = field.attributes.get("type", "text").lower()
    if kind == "hidden":
        return []
    losses.add(FIELD)
    return [field.attributes.get("value", "")] if kind not in {"image", "file", "password"} else []


def _select(select: Element, losses: Losses) -> list[Node]:
    losses.add(FIELD)
    options = [element for element in iter_elements(select) if element.tag == "option"]
    chosen = [option for option in options if "selected" in option.attributes] or options[:1]
    return [", ".join(text_of(option).strip() for option in chosen)]


def _details(details: Element, losses: Losses) -> list[Node]:
    """Return the summary as a bold paragraph and the rest as it is, in paragraphs."""
    nodes: list[Node] = []
    rest = Element("div")
    for child in details.children:
        if isinstance(child, Element) and child.tag == "summary":
            replace(child, losses)
            tag = "div" if has_blocks(child) else "p"
            nodes.append(Element(tag, style={"font-weight": "bold"}, children=child.children))
        else:
            rest.children.append(child)
    replace(rest, losses)
    return [*nodes, *_paragraphs(rest)]


def _paragraphs(container: Element) -> list[Node]:
    """Return the content of a box, its loose text in a paragraph."""
    if has_blocks(container):
        return container.children
    return [Element("p", children=container.children)] if text_of(container).strip() else container.children


def _ruby(reading: Element, losses: Losses) -> list[Node]:
    replace(reading, losses)
    return ["(", *reading.children, ")"]


REPLACEMENTS: dict[str, Replacement] = {
    "img": _image,
    "v:imagedata": _image,
    "picture": _picture,
    markup.RENAMED["svg"]: _drawing,
    markup.RENAMED["math"]: _math,
    **dict.fromkeys(("iframe", "video", "audio", "embed", "object", "oembed"), _media),
    "input": _field,
    "select": _select,
    "details": _details,
    "rt": _ruby,
    "canvas": _drawing,
}
