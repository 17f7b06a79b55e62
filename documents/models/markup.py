"""Text of HTML that any parser reads in linear time: its tokens are plain, and its costly constructs bounded.

A parser of HTML repeats work for what is left open, for what stands between the cells of a table, for attributes
and for ampersands, so a short text can cost minutes. This module reads the tokens as the parsers do, once, and never
takes an element for closed that a parser holds open.
"""

import re
from html.entities import html5

from django.core.exceptions import ValidationError

MAX_OPEN_ELEMENTS = 500
MAX_ATTRIBUTES = 100
# Elements that a parser opens again, such as an unclosed <b> in each paragraph that follows.
MAX_REOPENED = 200_000
# Tags and texts between the cells of tables: a parser moves each one before the table.
MAX_MOVED = 500
# How far an end tag is matched; what is left out counts as open.
SEARCHED = 16

SPACE = r"[ \t\n\f\r]"
ATTRIBUTE = (
    r"[^ \t\n\f\r/>][^ \t\n\f\r/>=]*+"
    rf"(?:{SPACE}*+={SPACE}*+(?:\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z)|[^ \t\n\f\r>\"'][^ \t\n\f\r>]*+|(?=>)|\Z))?+"
)
TOKEN = re.compile(
    r"<(?:"
    r"(?P<end>/?)(?P<name>[a-zA-Z][^ \t\n\f\r/>]*+)(?P<attributes>(?:[ \t\n\f\r/]++|" + ATTRIBUTE + r")*+)>"
    # What an author cannot have meant for readers: a comment, a declaration, a tag without an end.
    r"|(?P<dropped>!--(?:-?>|.*?(?:--!?>|\Z))|[!?][^>]*+(?:>|\Z)|/(?:>|\Z)|/[^a-zA-Z>][^>]*+(?:>|\Z)"
    r"|/?+(?=[a-zA-Z]).*)"
    r")",
    re.DOTALL,
)
STRAY = re.compile(r"<(?![a-zA-Z/!?])")
BARE_AMPERSAND = re.compile(r"&(?![a-zA-Z#])")
ATTRIBUTES = re.compile(ATTRIBUTE)
# As in XHTML; a slash after anything else may belong to a value.
SELF_CLOSED = re.compile(r"(?:^|[ \t\n\f\r\"'])/\Z")
REFERENCE = re.compile(
    r"&(?=[a-zA-Z#])(?:(#[0-9]{1,7}+;|#[xX][0-9a-fA-F]{1,6}+;)|([a-zA-Z][a-zA-Z0-9]{1,31}+)(;|(?!=)))?"
)
# Their content is text to some parsers, or in some places, and markup to others.
RAW = frozenset(
    {
        *(
            "iframe",
            "noembed",
            "noframes",
            "noscript",
            "plaintext",
            "script",
            "style",
            "template",
            "textarea",
        ),
        *("title", "xmp"),
    }
)
# No parser finds the end of this one.
ENDLESS = "plaintext"
RAW_ENDS = {name: re.compile(rf"</{name}(?=[ \t\n\f\r/>])", re.IGNORECASE) for name in RAW}

VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "wbr"})
# Elements whose end tag may be left out: they close each other, so an open one is no depth.
CLOSED_BY_NEXT = frozenset({"p", "option", "html", "head", "body"})
# An item closes the one before it, unless something is open between them.
ITEMS = {"li": ("li",), "dd": ("dd", "dt"), "dt": ("dd", "dt")}
CELLS = frozenset({"td", "th", "caption"})
TABLE_PARTS = CELLS | {"tr", "thead", "tbody", "tfoot", "colgroup", "col"}
TABLES = TABLE_PARTS | {"table"}
FORMATTING = frozenset(
    {*("a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u")}
)
# Their content follows other rules, until a tag in it ends them. With another name it is HTML like the rest.
RENAMED = {"svg": "x-svg", "math": "x-math"}
# An end tag closes nothing outside of the innermost of these, except for that of a table.
BARRIERS = frozenset({"applet", "marquee", "object", "select", "table"}) | CELLS
# An end tag of another element closes nothing outside of these either.
BLOCKS = BARRIERS.union(ITEMS) | {
    *("address", "article", "aside", "blockquote", "button", "center", "details", "dir", "div", "dl"),
    *("fieldset", "figcaption", "figure", "footer", "form", "frameset", "h1", "h2", "h3", "h4", "h5", "h6"),
    *(
        "header",
        "hgroup",
        "listing",
        "main",
        "menu",
        "nav",
        "ol",
        "pre",
        "search",
        "section",
        "summary",
        "ul",
    ),
}

# An item closes the one before it through these, and the end of an item nothing outside of its list.
ITEM_BARRIERS = BLOCKS - {"address", "div"}
LIST_BARRIERS = BARRIERS | {"ol", "ul"}


def make_parseable(html: str) -> str:
    """Return ``html`` without comments and stray characters of markup, for a parser.

    Raises ValidationError, with a sentence without its subject, if it would cost a parser too much.
    """
    text = BARE_AMPERSAND.sub("&amp;", REFERENCE.sub(_reference, html))
    return "".join(_Reader(STRAY.sub("&lt;", text)).pieces)


def _reference(match: re.Match[str]) -> str:
    """Return a reference with its semicolon, and any other ampersand as text, so that no parser looks for an end."""
    number, name, semicolon = match.groups()
    if number or (name and f"{name}{semicolon}" in html5):
        return f"&{number or name + ';'}"
    return f"&amp;{match[0][1:]}"


class _Reader:
    """Reads the tokens of a text; ``pieces`` are those that stay."""

    def __init__(self, html: str) -> None:
        self.pieces: list[str] = []
        self._endless = {ENDLESS}
        self._open = _OpenElements()
        position = 0
        while (token := TOKEN.search(html, position)) is not None:
            if token.start() > position:
                self._add_text(html[position : token.start()])
            position = token.end()
            if token["name"]:
                position = self._read_tag(html, token)
        if rest := html[position:]:
            self._add_text(rest)

    def _add_text(self, text: str) -> None:
        self.pieces.append(text)
        self._open.text(text)

    def _read_tag(self, html: str, tag: re.Match[str]) -> int:
        """Keep a tag, and return where the next token begins."""
        end, name, attributes = tag.group("end", "name", "attributes")
        name = name if name.islower() else name.lower()
        if len(attributes) > MAX_ATTRIBUTES and len(ATTRIBUTES.findall(attributes)) > MAX_ATTRIBUTES:
            raise ValidationError(f"has an element with more than {MAX_ATTRIBUTES} attributes.")
        if name in RAW:
            return self._read_raw(html, tag, name)
        self.pieces.append(f"<{end}{RENAMED[name]}{attributes}>" if name in RENAMED else tag[0])
        if end:
            self._open.close(name)
        else:
            self._open.open(name)
            if attributes.endswith("/") and name not in VOID and SELF_CLOSED.search(attributes):
                self.pieces.append(f"</{RENAMED.get(name, name)}>")
                self._open.close(name)
        return tag.end()

    def _read_raw(self, html: str, tag: re.Match[str], name: str) -> int:
        """Keep an element without markup in it; leave out a tag without its other half."""
        if tag["end"] or SELF_CLOSED.search(tag["attributes"]) or name in self._endless:
            return tag.end()
        end = RAW_ENDS[name].search(html, tag.end())
        closing = html.find(">", end.end()) if end else -1
        if end is None or closing < 0:
            self._endless.add(name)
            return tag.end()
        content = html[tag.end() : end.start()].replace("<!--", "").replace("-->", "").replace("<", " ")
        self.pieces += (f"<{name}{tag['attributes']}>", content, f"</{name}>")
        return closing + 1


class _OpenElements:
    """The elements that a parser holds open, and perhaps more."""

    def __init__(self) -> None:
        self._stack: list[str] = []
        # Where in the stack each open table is, and its open cell.
        self._tables: list[int] = []
        self._cells: list[int] = []
        self._formatting = self._reopened = self._moved = 0

    def text(self, text: str) -> None:
        """Read a text. Raises ValidationError for too many of them between cells."""
        if self._tables and not self._is_in_cell() and not text.isspace():
            self._move()

    def open(self, name: str) -> None:
        """Read a start tag. Raises ValidationError at a bound."""
        self._count(name)
        if name in TABLE_PARTS:
            self._open_table_part(name)
        elif name not in VOID and name not in CLOSED_BY_NEXT:
            if name == "a":
                self._close_formatting(name)
            elif name == "table":
                self._open_table()
            for item in ITEMS.get(name, ()):
                if (index := self._find(item, ITEM_BARRIERS)) is not None:
                    self._truncate(index)
            self._push(name)

    def close(self, name: str) -> None:
        """Read an end tag. Raises ValidationError at a bound."""
        self._count(name)
        if self._stack and self._stack[-1] == name and name not in TABLES:
            self._stack.pop()  # as below, for most end tags
            self._formatting -= name in FORMATTING
        elif name in TABLE_PARTS:
            self._close_table_part(name)
        elif name == "table":
            self._close_table()
        elif name in FORMATTING or name == "form":
            self._close_formatting(name)
        elif (index := self._find(name, _barriers_of(name))) is not None:
            self._truncate(index)

    def _push(self, name: str) -> None:
        self._stack.append(name)
        self._formatting += name in FORMATTING
        if len(self._stack) > MAX_OPEN_ELEMENTS:
            raise ValidationError("nests elements too deep, or leaves too many open; close each one.")

    def _is_in_cell(self) -> bool:
        return bool(self._cells) and self._cells[-1] > self._tables[-1]

    def _count(self, name: str) -> None:
        if self._formatting and name not in FORMATTING:
            self._reopen()
        if self._tables and name not in TABLES and not self._is_in_cell():
            self._move()

    def _reopen(self) -> None:
        self._reopened += self._formatting
        if self._reopened > MAX_REOPENED:
            raise ValidationError(
                "leaves elements such as <b> or <i> open; close each one where its text ends."
            )

    def _move(self) -> None:
        self._moved += 1
        if self._moved > MAX_MOVED:
            raise ValidationError("has tables with too much outside of their cells; put it into cells.")

    def _find(self, name: str, barriers: frozenset[str]) -> int | None:
        """Return where an element is open, if an end tag may close it."""
        for index in range(len(self._stack) - 1, max(-1, len(self._stack) - 1 - SEARCHED), -1):
            if self._stack[index] == name:
                return index
            if self._stack[index] in barriers:
                return None
        return None

    def _close_formatting(self, name: str) -> None:
        """Close one element and nothing that was opened in it."""
        if (index := self._find(name, BARRIERS)) is not None:
            del self._stack[index]
            self._formatting -= name in FORMATTING

    def _truncate(self, index: int) -> None:
        """Close an element and what was opened in it, except what a parser opens again."""
        self._stack[index:] = [name for name in self._stack[index:] if name in FORMATTING]

    def _open_table(self) -> None:
        if self._tables and not self._is_in_cell():
            self._close_table()
        self._tables.append(len(self._stack))

    def _close_table(self) -> None:
        if self._tables:
            self._close_cell()
            self._truncate(self._tables.pop())

    def _open_table_part(self, name: str) -> None:
        if not self._tables:
            return
        self._close_cell()
        self._truncate(self._tables[-1] + 1)
        if name in CELLS:
            self._cells.append(len(self._stack))
            self._push(name)

    def _close_table_part(self, name: str) -> None:
        if self._is_in_cell() and (name not in CELLS or self._stack[self._cells[-1]] == name):
            self._close_cell()

    def _close_cell(self) -> None:
        """Close the innermost table's cell with all that is in it."""
        if self._is_in_cell():
            cell = self._cells.pop()
            self._formatting -= sum(name in FORMATTING for name in self._stack[cell:])
            del self._stack[cell:]


def _barriers_of(name: str) -> frozenset[str]:
    """Return the elements outside of which an end tag closes nothing."""
    if name == "li":
        return LIST_BARRIERS
    return BARRIERS if name in BLOCKS else BLOCKS
