"""Characters that no font has are named with their section; fonts in a PDF are small."""

import io
import zlib
from pathlib import Path
from xml.etree import ElementTree

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.ttLib import TTFont

from documents.rendering import fallback_fonts, font_files, glyphs, missing_content
from documents.rendering.missing_content import MissingContent

REPORT = """<html><body><h1>王</h1>
<h2 class="section-title">Background</h2><div class="text"><p>明 and <b>明</b>小</p></div>
<h3 class="chapter-title">Reefs</h3><h4 class="chapter-section">Aims</h4><div>x<br/>華</div></body></html>"""


def sentences(characters):
    return [warning.text for warning in MissingContent(characters=characters).warnings()]


def test_characters_are_found_under_the_titles_of_their_sections():
    assert glyphs.locate("王明小華", ElementTree.fromstring(REPORT)) == {
        "": "王",
        "Background": "明小",
        "Reefs, Aims": "華",
    }


def test_characters_that_are_nowhere_in_the_text_are_still_named():
    assert glyphs.locate("]", ElementTree.fromstring("<p>x</p>")) == {"": "]"}


def test_the_warning_names_the_section_and_the_package(monkeypatch):
    monkeypatch.setattr(fallback_fonts, "PACKAGES", tuple(map(not_installed, fallback_fonts.PACKAGES)))
    [first, second] = sentences({"Background": "明🐨", "": "\u0915"})
    assert first == (
        "Characters in “Background” are in none of our fonts and print as boxes (明 🐨). "
        "Ask for fonts-noto-cjk and fonts-noto-color-emoji to be installed on the server."
    )
    assert "above the first section" in second
    assert "fonts-noto-core" in second


def not_installed(package):
    return fallback_fonts.Package(name=package.name, file=Path("/nowhere"), ranges=package.ranges)


def test_no_package_is_named_for_what_none_has():
    [warning] = sentences({"Aims": "\ue001"})
    assert warning.endswith("Write them in another way.")


def test_only_the_first_of_many_sections_are_listed():
    warnings = sentences({f"Section {number}": "\ue001" for number in range(100)})
    assert len(warnings) == missing_content.MAX_PLACES + 1
    assert "in 90 other sections" in warnings[-1]


def test_what_is_missing_from_parts_is_added_up():
    first = MissingContent(images=1, characters={"Aims": "明"})
    second = MissingContent(images=1, characters={"Aims": "明小", "Methods": "華"})
    assert first + second == MissingContent(images=2, characters={"Aims": "明小", "Methods": "華"})


@pytest.fixture(scope="module")
def subset():
    """Return a font of 20,000 glyphs of which three are left."""
    names = [".notdef", *(f"g{number}" for number in range(20_000))]
    shown = {0x6C49: "g5", 0x5B57: "g19000", 0x20: "g7"}
    outlines = {name: T2CharStringPen(None, None).getCharString() for name in names}
    for name in ("g5", "g19000"):
        pen = T2CharStringPen(None, None)
        pen.moveTo((0, 0))
        pen.lineTo((100, 0))
        pen.lineTo((100, 100))
        pen.closePath()
        outlines[name] = pen.getCharString()
    builder = FontBuilder(1000, isTTF=False)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap(shown)
    builder.setupCFF("Test", {}, outlines, {})
    builder.setupHorizontalMetrics(dict.fromkeys(names, (500, 0)))
    builder.setupHorizontalHeader()
    builder.setupPost()
    builder.setupOS2()
    builder.setupNameTable({"familyName": "Test", "styleName": "Regular"})
    stream = io.BytesIO()
    builder.save(stream)
    return stream.getvalue()


def outline(content, glyph):
    return TTFont(io.BytesIO(content))["CFF "].cff.topDictIndex[0].CharStrings[glyph].bytecode


def test_a_shrunk_font_shows_the_same_glyphs_in_a_fraction_of_the_space(subset):
    small = font_files.without_empty_glyphs(subset)
    assert len(small) == len(subset)
    for glyph in (".notdef", "g5", "g7", "g19000"):
        assert outline(small, glyph) == outline(subset, glyph) != b""
    saved = len(zlib.compress(subset)) - len(zlib.compress(small))
    assert saved > 20_000  # a byte for each glyph, and more


def test_a_font_that_changes_is_seen_in_its_checksum(tmp_path, monkeypatch):
    font = tmp_path / "NotoSansTest-Regular.ttf"
    monkeypatch.setattr(fallback_fonts, "PATTERNS", ((tmp_path, "NotoSans*-Regular.ttf"),))
    assert list(fallback_fonts.checksums()) == []
    font.write_bytes(b"one")
    first = list(fallback_fonts.checksums())
    font.write_bytes(b"two")
    assert first != list(fallback_fonts.checksums())
