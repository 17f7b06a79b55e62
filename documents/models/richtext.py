"""Rich text from clients: sanitised when it is stored, and limited so that it can be laid out."""

import re

import nh3
from django.core.exceptions import ValidationError

from documents.models import document_types

MAX_SECTION_CHARACTERS = 1_000_000
MAX_DEPTH = 50
MAX_TABLE_ROWS = 1_000
MAX_SPAN = 100
MAX_DATA_URI_CHARACTERS = 500_000

IMAGE_URL = re.compile(r"^(?:https?://[^/]+)?(/api/v1/images/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/)$")
DATA_URI = re.compile(r"^data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]+$")
# A screen reader skips an image with an empty alternative and spells out the address of one with none.
IMAGE_WITHOUT_ALT = re.compile(r"<img(?![^>]* alt=)")
START_OR_END_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)")
# Elements whose end tag may be left out: they close each other, so an open one is no depth.
SELF_CLOSING = frozenset(
    {"p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot", "colgroup", "option"}
)
MAX_RAW_DEPTH = 500
# A parser opens these again in each block that follows until they are closed.
REOPENED = frozenset(
    {"a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"}
)
MAX_REOPENED = 200_000
WELL_FORMED_TAG = re.compile(r'<(/?)([a-z][a-z0-9]*)((?: [a-z-]+="[^"]*")*)>')
SPAN_ATTRIBUTE = re.compile(r' (colspan|rowspan|span)="(\d*)"')
SPANS = frozenset({"colspan", "rowspan"})
VOID_ELEMENTS = frozenset({"br", "col", "hr", "img", "wbr"})
DEPTHLESS = VOID_ELEMENTS | SELF_CLOSING

ALLOWED_TAGS = {
    *("a", "abbr", "b", "blockquote", "br", "caption", "cite", "code", "col", "colgroup", "dd", "del", "dfn"),
    *("dl", "dt", "em", "figcaption", "figure", "h2", "h3", "h4", "h5", "hr", "i", "img", "ins", "kbd", "li"),
    *("mark", "ol", "p", "pre", "q", "s", "small", "span", "strong", "sub", "sup", "table", "tbody", "td"),
    *("tfoot", "th", "thead", "tr", "u", "ul", "wbr", "div"),
}
ALLOWED_ATTRIBUTES = {
    "*": {"dir", "id", "lang", "title"},
    "a": {"href"},
    "col": {"span", "width"},
    "colgroup": {"span"},
    "img": {"src", "alt"},
    "li": {"value"},
    "ol": {"start", "type"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
}
ALIGNED = ("p", "div", "li", "blockquote", "h2", "h3", "h4", "h5", "td", "th")
for _tag in ALIGNED:
    ALLOWED_ATTRIBUTES[_tag] = ALLOWED_ATTRIBUTES.get(_tag, set()) | {"style"}
INDENTS = {"hanging", *(f"indent-{level}" for level in range(1, 9))}
ALLOWED_CLASSES = {
    **dict.fromkeys(("p", "div", "blockquote", "h2", "h3", "h4", "h5"), INDENTS),
    "li": {"done", "open"},
    "ol": {"outline"},
    "ul": {"tasks", "unmarked"},
}
# What the value of an attribute must look like.
ATTRIBUTE_VALUES = {
    "dir": re.compile(r"^rtl$"),
    "id": re.compile(r"^[A-Za-z0-9_-]{1,200}$"),
    "start": re.compile(r"^-?\d{1,6}$"),
    "type": re.compile(r"^[1aAiI]$"),
    "value": re.compile(r"^-?\d{1,6}$"),
    "width": re.compile(r"^\d{1,3}%$"),
}


def _keep_attribute(tag: str, name: str, value: str) -> str | None:
    if tag == "img" and name == "src":
        return image_source(value)
    if tag == "a" and value.lstrip().lower().startswith("data:"):
        return None
    if (shape := ATTRIBUTE_VALUES.get(name)) is not None:
        return value if shape.match(value) else None
    if name == "span" or name in SPANS:
        return value if value.isdecimal() else None
    return value


def image_source(value: str) -> str | None:
    """Return the address of an image that may be stored, without the host, or None."""
    if (match := IMAGE_URL.match(value)) is not None:
        return match[1]
    return value if len(value) <= MAX_DATA_URI_CHARACTERS and DATA_URI.match(value) else None


_cleaner = nh3.Cleaner(
    tags=ALLOWED_TAGS,
    clean_content_tags={"script", "style", "svg", "math", "template", "noscript", "iframe", "object"},
    attributes=ALLOWED_ATTRIBUTES,
    allowed_classes=ALLOWED_CLASSES,
    attribute_filter=_keep_attribute,
    filter_style_properties={"text-align"},
    url_schemes={"http", "https", "mailto", "data"},
    link_rel=None,
)


def _measure(html: str) -> tuple[int, int]:
    """Return roughly how deep ``html`` nests and how many elements a parser adds to it, fast.

    Parsing costs the square of the depth, and a block opens again what was left open before, such as ``<b>``.
    """
    depth = deepest = unclosed = reopened = 0
    for end, tag in START_OR_END_TAG.findall(html.lower()):
        if tag in REOPENED:
            unclosed = max(0, unclosed - 1) if end else unclosed + 1
        else:
            reopened += unclosed
        if tag not in DEPTHLESS:
            depth = max(0, depth - 1) if end else depth + 1
            deepest = max(deepest, depth)
    return deepest, reopened


def _problem(html: str) -> str:
    """Return why a sanitised, hence well-formed, text is too large to lay out, or an empty text."""
    depth, rows = 0, list[int]()
    for match in WELL_FORMED_TAG.finditer(html):
        is_end, tag, attributes = match[1], match[2], match[3]
        if tag not in VOID_ELEMENTS:
            depth += -1 if is_end else 1
        if depth > MAX_DEPTH:
            return f"nests elements more than {MAX_DEPTH} deep"
        if tag == "table":
            rows = rows[:-1] if is_end else [*rows, 0]
        elif tag == "tr" and rows and not is_end:
            rows[-1] += 1
        if rows and rows[-1] > MAX_TABLE_ROWS:
            return f"has a table of more than {MAX_TABLE_ROWS:,} rows; split it or attach the data elsewhere"
        if "span" in attributes and (problem := _span_problem(attributes)):
            return problem
    return ""


def _span_problem(attributes: str) -> str:
    for name, value in SPAN_ATTRIBUTE.findall(attributes):
        if int(value or 1) > MAX_SPAN:
            return f"has a table cell with {name}={value}; at most {MAX_SPAN} is allowed"
    return ""


def printable_text(html: str) -> str:
    """Return ``html`` without NUL and lone surrogates: not every database stores them, and neither can be drawn."""
    return html.replace("\0", "").encode("utf-8", "replace").decode()


def require_parseable(html: str) -> None:
    """Raise ValidationError with the exceeded limit if a parser would need too long for ``html``."""
    if len(html) > MAX_SECTION_CHARACTERS:
        raise ValidationError(
            f"is {len(html):,} characters long; at most {MAX_SECTION_CHARACTERS:,} are allowed."
        )
    depth, reopened = _measure(html)
    if depth > MAX_RAW_DEPTH:
        raise ValidationError(f"nests elements more than {MAX_DEPTH} deep.")
    if reopened > MAX_REOPENED:
        raise ValidationError("leaves elements such as <b> or <i> open; close each one where its text ends.")


def clean_html(html: str) -> str:
    """Return ``html`` with only what a report needs: no scripts, styles, frames or foreign addresses.

    Raises ValidationError with a sentence that names the exceeded limit.
    """
    text = printable_text(html)
    require_parseable(text)
    return sanitise(text)


def sanitise(text: str) -> str:
    """Return a parseable text with only what a report needs; raises ValidationError with the exceeded limit."""
    clean = IMAGE_WITHOUT_ALT.sub('<img alt=""', _cleaner.clean(text))
    if problem := _problem(clean):
        raise ValidationError(f"{problem}.")
    return clean


def clean_sections(kind: document_types.DocumentType, sections: object) -> dict[str, str]:
    """Return the sections of a document, each sanitised.

    Raises ValidationError under ``sections`` with a message for each unknown key and each invalid section.
    """
    if not isinstance(sections, dict):
        raise ValidationError({"sections": "Send an object: {section key: HTML}."})
    errors = list(document_types.section_errors(kind, sections).values())
    cleaned: dict[str, str] = {}
    for key, html in sections.items():
        try:
            cleaned[str(key)] = clean_html(require_text(html))
        except ValidationError as error:
            errors.append(f"Section “{key}” {error.messages[0]}")
    if errors:
        raise ValidationError({"sections": errors})
    return cleaned


def require_text(html: object) -> str:
    """Return ``html``. Raises ValidationError if it is no text."""
    if not isinstance(html, str):
        raise ValidationError("must be a string of HTML.")
    return html
