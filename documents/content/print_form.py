"""Bring a stored text into the form that is printed: unique anchors, and styles in the place of attributes."""

import re
from collections.abc import Callable

from documents.content import links
from documents.models import richtext

ID = re.compile(r' id="([^"]*)"')
ANCHOR = re.compile(r' (id="|href="#)([^"]*)')
CHANGED = re.compile(r' (?:href="|start="|value="|width=")')
NUMBER = re.compile(r' (?:start|value)="(-?[0-9]{1,9})"')
WIDTH = re.compile(r' width="([0-9]+%)"')


def to_print_form(html: str, prefix: str) -> str:
    """Return a sanitised text as it is printed, with ``prefix`` before each id and each link to one of them.

    Other links lead to the headings of the report, such as a chapter's.
    WeasyPrint reads the attributes of lists and columns only with all presentational hints, which cost 5 % of the
    time, so they become styles.
    """
    if not CHANGED.search(html):
        return html
    ids = frozenset(ID.findall(html))

    def with_prefix(anchor: re.Match[str]) -> str:
        return f" {anchor[1]}{prefix if anchor[2] in ids else ''}{anchor[2]}"

    return richtext.WELL_FORMED_TAG.sub(lambda tag: _print_tag(tag, with_prefix), html)


def _print_tag(tag: re.Match[str], with_prefix: Callable[[re.Match[str]], str]) -> str:
    end, name, attributes = tag[1], tag[2], tag[3]
    if not attributes:
        return tag[0]
    attributes = ANCHOR.sub(with_prefix, links.print_links(attributes))
    if style := _style(name, attributes):
        attributes = _with_style(attributes, style)
    return f"<{end}{name}{attributes}>"


def _style(name: str, attributes: str) -> str:
    if name == "col":
        width = WIDTH.search(attributes)
        return f"width:{width[1]}" if width else ""
    number = NUMBER.search(attributes) if name in {"ol", "li"} else None
    if number is None:
        return ""
    if name == "ol":
        return f"counter-reset:list-item {int(number[1]) - 1}"
    return f"counter-reset:list-item {number[1]};counter-increment:none"


def _with_style(attributes: str, style: str) -> str:
    if ' style="' in attributes:
        return attributes.replace(' style="', f' style="{style};', 1)
    return f'{attributes} style="{style}"'
