"""Find the images that a stored text shows the place of, but does not have."""

import re
from collections import Counter
from collections.abc import Mapping
from html import unescape

from documents.content.normalising import images
from documents.content.normalising.losses import TextWarning, to_warnings

IMAGE = re.compile(r'<img((?: [a-z-]+="[^"]*")*)>')
ATTRIBUTE = re.compile(r' ([a-z-]+)="([^"]*)"')


def find_missing_images(sections: Mapping[str, str]) -> tuple[TextWarning, ...]:
    """Return a warning for each image without an address in stored sections, by section key."""
    return tuple(
        warning for key, html in sections.items() for warning in to_warnings(key, _count_missing(html))
    )


def _count_missing(html: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    for match in IMAGE.finditer(html):
        attributes = {name: unescape(value) for name, value in ATTRIBUTE.findall(match[1])}
        if "src" not in attributes:
            counts[images.missing(images.name_of(attributes, ""))] += 1
    return counts
