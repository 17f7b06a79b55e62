"""Every colour of a text in the stylesheet stands out from what is behind it, as WCAG 2.2 (1.4.3) asks."""

import re

import pytest
import tinycss2

from documents.rendering.layout import STYLESHEET

MIN_CONTRAST = 4.5  # also of large type, for which 3 would do
PAPER = "#ffffff"
COLOR = re.compile(r"(?<![-\w])(color|background):\s*(#[0-9a-f]{3,6})")


def declared(block, name):
    return next((color for found, color in COLOR.findall(block) if found == name), None)


def rules():
    for rule in tinycss2.parse_stylesheet(STYLESHEET.read_text(), skip_comments=True, skip_whitespace=True):
        yield tinycss2.serialize(rule.prelude).strip(), tinycss2.serialize(rule.content)


def pairs():
    """Return selector, colour and background of each rule that sets a colour; boxes pass their background on."""
    boxes = {
        selector: declared(block, "background")
        for selector, block in rules()
        if declared(block, "background")
    }
    marked = {boxes[selector] for selector in boxes if selector.startswith(".text")}
    found = []
    for selector, block in rules():
        for color in (color for name, color in COLOR.findall(block) if name == "color"):
            around = [boxes[box] for box in boxes if selector.split(" ")[0].split(",")[0] == box] or [PAPER]
            behind = {declared(block, "background") or around[0]}
            if selector.startswith((".text", "html")):
                behind |= marked  # a text may be code, or marked
            found += [(selector, color, background) for background in sorted(behind)]
    return found


def luminance(color):
    digits = color[1:] if len(color) == 7 else "".join(2 * digit for digit in color[1:])
    channels = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(color, background):
    lighter, darker = sorted((luminance(color), luminance(background)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_the_stylesheet_is_read():
    assert contrast("#000", "#fff") == 21
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert len({color for _, color, _ in pairs()}) >= 10
    assert (".cover .kicker", "#f0cf8e", "#12403b") in pairs()


def test_every_text_stands_out_from_its_background():
    faint = [pair for pair in pairs() if contrast(pair[1], pair[2]) < MIN_CONTRAST]
    assert faint == []
