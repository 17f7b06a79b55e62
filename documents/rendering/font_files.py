"""Make the files of embedded fonts small: a font with 65,000 characters costs 100 kB even if five of them are left.

A subset keeps the number of each glyph, and so a place for each one that is left out. In a font with TrueType outlines
all these places are alike; with CFF outlines each is one byte further on, which no compression shortens.
"""

import io
import struct
from typing import Any

import pydyf
from fontTools.ttLib import TTFont

# A glyph without an outline: the operator “endchar” alone.
LEFT_OUT = b"\x0e"


def shrink(pdf: pydyf.PDF) -> None:
    """Shrink the fonts with CFF outlines in a drawn document that is not written yet."""
    for stream in pdf.objects:
        if isinstance(stream, pydyf.Stream) and stream.extra.get("Subtype") == "/OpenType":
            [content] = stream.stream
            stream.stream = [without_empty_glyphs(content)]


def without_empty_glyphs(content: bytes) -> bytes:
    """Return a font of the same length, with nothing in the places of glyphs that are left out."""
    font = TTFont(io.BytesIO(content), lazy=True)
    shown = {font.getGlyphID(name) for name in (font.getBestCmap() or {}).values()}
    start = font.reader.tables["CFF "].offset + _offset_of_glyphs(font)
    count, offset_bytes = struct.unpack_from(">HB", content, start)
    first_offset = start + 3
    before_data = first_offset + (count + 1) * offset_bytes - 1  # offsets count from 1
    places = [first_offset + number * offset_bytes for number in range(count + 1)]
    offsets = [int.from_bytes(content[place : place + offset_bytes]) for place in places]
    data, moved = bytearray(), [1]
    for glyph in range(count):
        outline = content[before_data + offsets[glyph] : before_data + offsets[glyph + 1]]
        if outline != LEFT_OUT or glyph in shown or glyph == 0:
            data += outline
        moved.append(len(data) + 1)
    head = content[:first_offset] + b"".join(offset.to_bytes(offset_bytes) for offset in moved)
    end = before_data + offsets[-1]
    return head + bytes(data).ljust(end - len(head), b"\0") + content[end:]


def _offset_of_glyphs(font: Any) -> int:
    """Return where the outlines begin in the font's table of them, in bytes."""
    return int(font["CFF "].cff.topDictIndex[0].rawDict["CharStrings"])
