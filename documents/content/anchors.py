"""Make the anchors of authors, such as those of footnotes, unique in a document of many sections."""

import re

from documents.models import richtext

ANCHOR = re.compile(r' (id="|href="#)')


def prefix_anchors(html: str, prefix: str) -> str:
    """Return a sanitised text with ``prefix`` before each id and each link to one."""
    if 'href="#' not in html:
        return html
    return richtext.WELL_FORMED_TAG.sub(lambda tag: ANCHOR.sub(rf" \g<1>{prefix}", tag[0]), html)
