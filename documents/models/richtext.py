"""Rich text from clients: sanitised when it is stored, and limited so that it can be laid out."""

import json
import re
from html.parser import HTMLParser

import nh3
from django.core.exceptions import ValidationError

from documents.models import document_types, layout_bounds, markup
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
DATA_URI = re.compile(r"^data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]+$")
# A screen reader skips an image with an empty alternative and spells out the address of one with none.
IMAGE_WITHOUT_ALT = re.compile(r"<img(?![^>]* alt=)")
SPANS = frozenset({"colspan", "rowspan"})
# Python refuses to read a number of more than 4,300 digits.
WHOLE_NUMBER, LIST_START, MAX_SPAN_DIGITS = re.compile(r"[0-9]+"), re.compile(r"-?[0-9]{1,6}"), 9
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
    "*": {"lang", "title"},
    "a": {"href"},
    "col": {"span"},
    "colgroup": {"span"},
    "img": {"src", "alt"},
    "ol": {"start", "type"},
    "p": {"style"},
    "td": {"colspan", "rowspan", "style"},
    "th": {"colspan", "rowspan", "scope", "style"},
}


def _keep_attribute(tag: str, name: str, value: str) -> str | None:
    if tag == "img" and name == "src":
        return _image_source(value)
    if tag == "a" and name == "href":
        return _link_target(value)
    if name == "span" or name in SPANS:
        return value if WHOLE_NUMBER.fullmatch(value) else None
    if name == "start":
        return value if LIST_START.fullmatch(value) else None
    return value


def _link_target(value: str) -> str | None:
    """Return an address as every reader of it understands it: without controls, which hide its scheme."""
    target = CONTROLS.sub("", value).strip()
    scheme = SCHEME.match(target)
    return target if scheme is None or scheme[1].lower() in LINK_SCHEMES else None


def _image_source(value: str) -> str | None:
    if (match := IMAGE_URL.match(value)) is not None:
        return match[1]
    return value if len(value) <= MAX_DATA_URI_CHARACTERS and DATA_URI.match(value) else None


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
    attribute_filter=_keep_attribute,
    filter_style_properties={"text-align"},
    url_schemes={"http", "https", "mailto", "data"},
    link_rel=None,
)


class _Bounds(HTMLParser):
    """Finds the reason why a sanitised, hence well-formed, text is too large to lay out."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open_elements = 0
        self.rows: list[int] = []
        self.problem = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID_ELEMENTS:
            self.open_elements += 1
        if self.open_elements > MAX_DEPTH:
            self.problem = f"nests elements more than {MAX_DEPTH} deep"
        if tag == "table":
            self.rows.append(0)
        elif tag == "tr" and self.rows:
            self._count_row()
        self._check_spans(attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID_ELEMENTS:
            self.open_elements -= 1
        if tag == "table" and self.rows:
            self.rows.pop()

    def _count_row(self) -> None:
        self.rows[-1] += 1
        if self.rows[-1] > MAX_TABLE_ROWS:
            self.problem = (
                f"has a table of more than {MAX_TABLE_ROWS:,} rows; split it or attach the data elsewhere"
            )

    def _check_spans(self, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if (name in SPANS or name == "span") and _is_too_wide(value or "1"):
                short = f"{value}"[: MAX_SPAN_DIGITS + 1]
                self.problem = f"has a table cell with {name}={short}; at most {MAX_SPAN} is allowed"


def _is_too_wide(span: str) -> bool:
    return len(span) > MAX_SPAN_DIGITS or int(span) > MAX_SPAN


def _problem(html: str) -> str:
    bounds = _Bounds()
    for start in range(0, len(html), 65_536):
        bounds.feed(html[start : start + 65_536])
        if bounds.problem:
            break
    return bounds.problem


def clean_html(html: str) -> str:
    """Return ``html`` with only what a report needs: no scripts, styles, frames or foreign addresses.

    Raises ValidationError with a sentence that names the exceeded limit.
    """
    _require_short(html)
    # Not every database stores NUL and lone surrogates, and neither can be drawn.
    text = markup.make_parseable(html.replace("\0", "").encode("utf-8", "replace").decode())
    _require_short(text, WRITTEN_OUT)
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


def clean_sections(kind: document_types.DocumentType, sections: object) -> dict[str, str]:
    """Return the sections of a document, each sanitised.

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
            cleaned[key] = clean_html(_require_text(html))
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
