"""Find the images that a stored text shows the place of, but does not have."""

import re
from collections import Counter
from collections.abc import Mapping
from html import unescape

from documents.content.normalising import images
from documents.content.normalising.losses import TextWarning

IMAGE = re.compile(r'<img((?: [a-z-]+="[^"]*")*)>')
ATTRIBUTE = re.compile(r' ([a-z-]+)="([^"]*)"')


def find_missing_images(sections: Mapping[str, str]) -> tuple[TextWarning, ...]:
    """Return a warning for each image without an address in stored sections, by section key."""
    counts: Counter[tuple[str, str]] = Counter()
    for key, html in sections.items():
        for match in IMAGE.finditer(html):
            attributes = {name: unescape(value) for name, value in ATTRIBUTE.findall(match[1])}
            if "src" not in attributes:
                counts[key, images.missing(images.name_of(attributes, ""))] += 1
    return tuple(TextWarning(section=key, what=what, count=count) for (key, what), count in counts.items())
