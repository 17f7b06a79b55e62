"""Rich text from clients: sanitised when it is stored, and limited so that it can be laid out."""

import json
import re
from collections.abc import Callable

import nh3
from django.core.exceptions import ValidationError

from documents import characters
from documents.models import data_uris, document_types, layout_bounds, markup
from documents.models.mistakes import MAX_LISTED, count_others

MAX_SECTION_CHARACTERS = 1_000_000
# Of the sections of one request: sanitising them takes a web thread up to two seconds for each million.
MAX_CHARACTERS_AT_ONCE = 4_000_000
# Of all sections of a document, as JSON: no more than the largest request body.
MAX_STORED_BYTES = 8 * 1024**2
WRITTEN_OUT = ", with its special characters and end tags written out"
MAX_DEPTH = 50
MAX_TABLE_ROWS = 1_000
MAX_SPAN = 100
MAX_DATA_URI_CHARACTERS = 500_000

IMAGE_URL = re.compile(r"^(?:https?://[^/]+)?(/api/v1/images/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/)$")
# A screen reader skips an image with an empty alternative and spells out the address of one with none.
IMAGE_WITHOUT_ALT = re.compile(r"<img(?![^>]* alt=)")
WELL_FORMED_TAG = re.compile(r'<(/?)([a-z][a-z0-9]*)((?: [a-z-]+="[^"]*")*)>')
SPAN_ATTRIBUTE = re.compile(r' (colspan|rowspan|span)="([0-9]*)"')
SPANS = frozenset({"colspan", "rowspan"})
# Python refuses to read a number of more than 4,300 digits.
MAX_SPAN_DIGITS, LIST_NUMBER = 9, re.compile(r"-?[0-9]{1,6}")
LINK_SCHEMES = frozenset({"http", "https", "mailto"})
SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):")
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
VOID_ELEMENTS = frozenset({"br", "col", "hr", "img", "wbr"})

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
    "dir": re.compile(r"rtl"),
    "id": re.compile(r"[A-Za-z0-9_-]{1,200}"),
    "start": LIST_NUMBER,
    "type": re.compile(r"[1aAiI]"),
    "value": LIST_NUMBER,
    "width": re.compile(r"[0-9]{1,3}%"),
    **dict.fromkeys((*SPANS, "span"), re.compile(r"[0-9]+")),
}


def _keep_attribute(tag: str, name: str, value: str) -> str | None:
    value = characters.one_line(value)
    if tag == "img" and name == "src":
        return image_source(value)
    if tag == "a" and name == "href":
        return _link_target(value)
    if (shape := ATTRIBUTE_VALUES.get(name)) is not None:
        return value if shape.fullmatch(value) else None
    return value


def _link_target(value: str) -> str | None:
    """Return an address as every reader of it understands it: without controls, which hide its scheme."""
    target = CONTROLS.sub("", value).strip()
    scheme = SCHEME.match(target)
    return target if scheme is None or scheme[1].lower() in LINK_SCHEMES else None


def image_source(value: str) -> str | None:
    """Return the address of an image that may be stored, without the host, or None."""
    if (match := IMAGE_URL.match(value)) is not None:
        return match[1]
    return data_uris.canonical(value, max_characters=MAX_DATA_URI_CHARACTERS)


_cleaner = nh3.Cleaner(
    tags=ALLOWED_TAGS,
    clean_content_tags={
        "script",
        "style",
        *markup.RENAMED.values(),
        "template",
        "noscript",
        "iframe",
        "object",
    },
    attributes=ALLOWED_ATTRIBUTES,
    allowed_classes=ALLOWED_CLASSES,
    attribute_filter=_keep_attribute,
    filter_style_properties={"text-align"},
    url_schemes={"http", "https", "mailto", "data"},
    link_rel=None,
)


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
        if len(value) > MAX_SPAN_DIGITS or int(value or 1) > MAX_SPAN:
            short = value[: MAX_SPAN_DIGITS + 1]
            return f"has a table cell with {name}={short}; at most {MAX_SPAN} is allowed"
    return ""


def clean_html(html: str) -> str:
    """Return ``html`` with only what a report needs: no scripts, styles, frames or foreign addresses.

    Raises ValidationError with a sentence that names the exceeded limit.
    """
    return sanitise(parseable_text(html))


def parseable_text(html: str) -> str:
    """Return ``html`` as any parser reads it in linear time. Raises ValidationError with the exceeded limit."""
    _require_short(html)
    # Not every database stores NUL and lone surrogates, and neither can be drawn.
    text = markup.make_parseable(html.replace("\0", "").encode("utf-8", "replace").decode())
    _require_short(text, WRITTEN_OUT)
    return text


def sanitise(text: str) -> str:
    """Return a parseable text with only what a report needs. Raises ValidationError with the exceeded limit."""
    clean = IMAGE_WITHOUT_ALT.sub('<img alt=""', _cleaner.clean(text))
    _require_short(clean, WRITTEN_OUT)
    if problem := _problem(clean) or layout_bounds.find_problem(layout_bounds.measure(clean)):
        raise ValidationError(f"{problem}.")
    return clean


def _require_short(html: str, how: str = "") -> None:
    if len(html) > MAX_SECTION_CHARACTERS:
        raise ValidationError(
            f"is {len(html):,} characters long{how}; at most {MAX_SECTION_CHARACTERS:,} are allowed."
        )


def _clean_section(_key: str, html: str) -> str:
    return clean_html(html)


def clean_sections(
    kind: document_types.DocumentType,
    sections: object,
    clean: Callable[[str, str], str] = _clean_section,
) -> dict[str, str]:
    """Return the sections of a document, each made by ``clean`` from its key and text; by default sanitised.

    Raises ValidationError under ``sections`` with a message for each unknown key and each invalid section.
    """
    if not isinstance(sections, dict):
        raise ValidationError({"sections": "Send an object: {section key: HTML}."})
    valid_keys = kind.section_keys()
    unknown = [str(key) for key in sections if key not in valid_keys]
    others = count_others(unknown)
    errors = list(document_types.section_errors(kind, unknown[:MAX_LISTED] if others else unknown).values())
    errors += [f"{others}."] if others else []
    texts = {key: html for key, html in sections.items() if key in valid_keys}
    _require_short_together(texts)
    cleaned: dict[str, str] = {}
    for key, html in texts.items():
        try:
            cleaned[key] = clean(key, _require_text(html))
        except ValidationError as error:
            errors.append(f"Section “{key}” {error.messages[0]}")
    if not errors and (problem := layout_bounds.total_problem(cleaned.values())):
        errors.append(f"All sections together: the text {problem}.")
    if errors:
        raise ValidationError({"sections": errors})
    require_storable(cleaned)
    return cleaned


def require_storable(sections: dict[str, str]) -> None:
    """Raise ValidationError under ``sections`` if they take more room together than a document may."""
    size_bytes = len(json.dumps(sections))
    if size_bytes > MAX_STORED_BYTES:
        raise ValidationError(
            {"sections": f"All sections take {size_bytes:,} bytes; at most {MAX_STORED_BYTES:,} are stored."}
        )


def _require_short_together(sections: dict[str, object]) -> None:
    total = sum(len(html) for html in sections.values() if isinstance(html, str))
    if total > MAX_CHARACTERS_AT_ONCE:
        raise ValidationError(
            {
                "sections": f"They have {total:,} characters; at most {MAX_CHARACTERS_AT_ONCE:,} are taken at once. "
                "Send the sections one by one."
            }
        )


def _require_text(html: object) -> str:
    if not isinstance(html, str):
        raise ValidationError("must be a string of HTML.")
    return html
