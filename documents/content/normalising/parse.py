"""Parse HTML once, by HTML5's rules, into a tree without what no reader sees."""

import re
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from selectolax.lexbor import LexborHTMLParser, LexborNode

from documents import characters
from documents.content.normalising import css
from documents.content.normalising.symbol_fonts import symbol_font
from documents.content.normalising.tree import Element, Run, Wrap, Wraps
from documents.models import layout_bounds, richtext

MAX_PARSED_DEPTH = 120
# Of those that are more than their look: three for each cell that can be laid out, as editors wrap what they write.
MAX_ELEMENTS = 3 * layout_bounds.MAX_CELLS
INVISIBLE = frozenset(
    {
        *(
            "base",
            "head",
            "link",
            "meta",
            "noframes",
            "noscript",
            "script",
            "style",
            "template",
            "title",
            "xml",
        ),
        *("area", "param", "rp", "datalist"),
        *("w:sdtpr", "w:worddocument", "w:latentstyles", "o:officedocumentsettings", "o:shapedefaults"),
        *("v:shapetype", "v:formulas", "v:stroke", "v:path", "o:lock", "annotation", "annotation-xml"),
    }
)
ALIASES = {
    "strike": "s",
    "acronym": "abbr",
    "tt": "code",
    "samp": "code",
    "var": "em",
    "dir": "ul",
    "menu": "ul",
    **dict.fromkeys(("address", "article", "aside", "center", "fieldset", "footer", "form", "header"), "div"),
    **dict.fromkeys(("hgroup", "legend", "main", "nav", "section", "search", "optgroup"), "div"),
    **dict.fromkeys(("listing", "plaintext", "xmp"), "pre"),
}
# Classes of pages that the browser draws for itself, or that say what a screen reader should not.
HIDDEN_CLASSES = ("katex-html", "ql-ui", "MJX_Assistive_MathML_hidden", "Apple-interchange-newline")
MAX_LOOKS = 10_000
STRUCTURAL = frozenset({"mso-list", "mso-element"})
NO_WRAPS: Wraps = ()
CENTRED = {"text-align": "center"}
XML_NAME = re.compile(r"<\?xml[^>]*>")
# Elements that only say how their content looks, unless an attribute or a style says that they are more.
WRAPPING = frozenset(
    {
        *("b", "big", "blink", "cite", "code", "del", "dfn", "em", "font", "i", "ins", "kbd", "mark", "nobr"),
        *("s", "small", "span", "strong", "sub", "sup", "u"),
    }
)
ATTRIBUTES = frozenset(
    {
        *(
            "__lexicallisttype",
            "align",
            "alt",
            "alttext",
            "aria-checked",
            "aria-level",
            "aria-roledescription",
        ),
        *(
            "bgcolor",
            "checked",
            "class",
            "clear",
            "color",
            "colspan",
            "data",
            "face",
            "data-aria-level",
            "data-checked",
        ),
        *("data-latex", "data-list", "data-listid", "data-src", "data-type", "data-value", "dir", "height"),
        *(
            "hidden",
            "href",
            "id",
            "lang",
            "name",
            "o:href",
            "reversed",
            "role",
            "rowspan",
            "scope",
            "selected",
        ),
        *("span", "src", "start", "title", "type", "url", "value", "width"),
    }
)
RUN_CLASSES = re.compile(r"\b(?:x_)?(?:Mso|mso|ql-|EOP\b|checkbox|katex-html)")


@dataclass(frozen=True, slots=True)
class Fragment:
    """A parsed text: ``root`` is its body, ``tags`` are those of the elements in it that are more than their look."""

    root: Element
    sheet: css.Stylesheet
    script_count: int
    tags: frozenset[str]


def parse(html: str) -> Fragment:
    """Return the tree of a text. Raises ValidationError if it nests too deep or has too many elements."""
    parser = LexborHTMLParser(XML_NAME.sub("", html))
    sheet = css.parse_stylesheet(node.text(deep=True) for node in parser.css("style"))
    copier = _Copier(sheet)
    root = Element("body")
    if parser.body is not None:
        copier.copy_children(parser.body, root)
    scripts = len(parser.css("script"))
    return Fragment(root=root, sheet=sheet, script_count=scripts, tags=frozenset(copier.tags))


# The next node to copy, the element to copy it to, and the inline elements that it is in.
type _Place = tuple[LexborNode | None, Element, Wraps]


class _Copier:
    """Copies the parser's tree, without recursion and without the elements that only wrap."""

    def __init__(self, sheet: css.Stylesheet) -> None:
        self.tags: set[str] = set()
        self._sheet = sheet
        self._wraps: dict[tuple[int, str, int], Wraps] = {}
        self._styled: dict[tuple[int, str, str], Wraps] = {}
        self._alive: list[object] = []  # what the keys are the ids of
        self._element_count = 0
        # Texts in a row that look the same become one, so that 100,000 equal spans are one.
        self._texts: list[str] = []
        self._place: tuple[Element | None, Wraps] = None, NO_WRAPS

    def copy_children(self, body: LexborNode, root: Element) -> None:
        """Copy what is in ``body``. Raises ValidationError if it nests too deep or has too many elements."""
        outer: list[_Place] = []
        node: LexborNode | None = body.first_child
        parent, wraps = root, NO_WRAPS
        while node is not None or outer:
            if node is None:
                node, parent, wraps = outer.pop()
                continue
            following, tag = node.next, node.tag or ""
            if tag == "-text":
                if self._place[0] is not parent or self._place[1] is not wraps:
                    self._add_text()
                    self._place = parent, wraps
                self._texts.append(node.text_content or "")
                node = following
            elif (
                tag[0] == "-" or tag in INVISIBLE or (inside := self._enter(tag, node, parent, wraps)) is None
            ):
                node = following
            else:
                outer.append((following, parent, wraps))
                node, parent, wraps = inside
                if len(outer) > MAX_PARSED_DEPTH:
                    raise ValidationError(f"nests elements more than {richtext.MAX_DEPTH} deep.")
        self._add_text()

    def _add_text(self) -> None:
        """Write the texts that wait for the end of their look."""
        parent, wraps = self._place
        if parent is not None and self._texts:
            text = characters.without_controls("".join(self._texts))
            parent.children.append(Run(text, wraps) if wraps else text)
            self._texts = []

    def _enter(self, tag: str, node: LexborNode, parent: Element, wraps: Wraps) -> _Place | None:
        """Copy an element; return where its content goes, or None if nobody sees it."""
        if tag == "o:p" and node.first_child is None:
            return None  # Word ends every paragraph with one
        written = node.attributes
        key = _look(tag, written, wraps)
        if key in self._styled:
            return node.first_child, parent, self._styled[key]
        attributes, style = self._read(tag, written)
        if (style or attributes) and _is_hidden(attributes, style):
            return None
        if tag in WRAPPING and not attributes and not style.keys() & STRUCTURAL:
            inside = self._wrapped(wraps, tag, style)
            if key and len(self._styled) < MAX_LOOKS:
                self._styled[key] = inside
            return node.first_child, parent, inside
        self._add_text()
        self._count_element()
        element = Element(ALIASES.get(tag, tag), attributes, style, wraps=wraps)
        self.tags.add(element.tag)
        parent.children.append(element)
        return node.first_child, element, ()

    def _count_element(self) -> None:
        self._element_count += 1
        if self._element_count > MAX_ELEMENTS:
            raise ValidationError(
                f"has more than {MAX_ELEMENTS:,} elements; at most {layout_bounds.MAX_BOXES:,} can be laid out. "
                "Split it, or attach the data elsewhere."
            )

    def _wrapped(self, wraps: Wraps, tag: str, style: css.Style) -> Wraps:
        """Return the wraps with one more; equal ones are one object, so that runs are compared fast."""
        if not style and tag in {"span", "font", "nobr", "blink", "big"}:
            return wraps
        key = id(wraps), tag, id(style)
        if key not in self._wraps:
            self._alive += (wraps, style)
            self._wraps[key] = (*wraps, Wrap(tag, style))
        return self._wraps[key]

    def _read(self, tag: str, written: dict[str, str | None]) -> tuple[dict[str, str], css.Style]:
        """Return the attributes and the style of an element, as far as they mean something."""
        if not written:
            return {}, CENTRED if tag == "center" else {}
        attributes, style_text = {}, ""
        for name, value in written.items():
            if name == "style":
                style_text = value or ""
            elif name in ATTRIBUTES and not _says_nothing(tag, name, value or ""):
                attributes[name] = value or ""
        classes = attributes.get("class", "")
        if classes and self._sheet.classes:
            style = css.merge(self._sheet.style_of(tag, classes.split()), style_text)
        else:
            style = css.parse_declarations(style_text)
        if tag in WRAPPING and classes and not RUN_CLASSES.search(classes):
            del attributes["class"]
        if rules := _take_font(attributes):
            style = css.merge(rules, style_text)
        return attributes, css.merge(CENTRED, style_text) if tag == "center" else style


def _take_font(attributes: dict[str, str]) -> dict[str, str]:
    """Remove the attributes of ``font`` and return them as declarations."""
    color, face = attributes.pop("color", ""), attributes.pop("face", "")
    rules = {"color": color} if color else {}
    return {**rules, "font-family": face.lower()} if symbol_font(face) else rules


def _look(tag: str, written: dict[str, str | None], wraps: Wraps) -> tuple[int, str, str] | None:
    """Return a key for elements that look the same in the same wraps, or None for one that is more than its look."""
    if tag not in WRAPPING or len(written) > 1:
        return None
    style = written.get("style") if written else ""
    return None if style is None else (id(wraps), tag, style)


def _says_nothing(tag: str, name: str, value: str) -> bool:
    if name == "lang":
        return value.lower().startswith("en") or not value
    if name == "dir":
        return value.lower() != "rtl"
    return tag in WRAPPING and name in {"data-type", "type", "value", "data-list"}


def _is_hidden(attributes: dict[str, str], style: css.Style) -> bool:
    if style.get("display") == "none" or style.get("mso-hide") == "all" or "hidden" in attributes:
        return True
    return "class" in attributes and any(name in attributes["class"].split() for name in HIDDEN_CLASSES)
