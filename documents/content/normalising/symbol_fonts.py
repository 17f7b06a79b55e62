"""Characters of symbol fonts, which put signs in the places of letters: Word writes “à” in Wingdings for an arrow."""

from collections.abc import Mapping

FIRST_PRIVATE, LAST_PRIVATE = 0xF020, 0xF0FF  # where Word puts the same characters, too
# Words are in another font, which is not kept in styles.
MAX_SYMBOLS = 12

_SYMBOL = dict(
    zip(
        (*range(0x20, 0x7F), *range(0xA1, 0xF0), *range(0xF1, 0xFF)),
        " !∀#∃%&∋()∗+,−./0123456789:;<=>?≅ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_‾αβχδεφγηιϕκλμνοπθρστυϖωξψζ{|}∼"
        "ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…⏐⎯↵ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓◊〈®©™∑⎛⎜⎝⎡⎢⎣⎧⎨⎩⎪"
        "〉∫⌠⎮⌡⎞⎟⎠⎤⎥⎦⎫⎬⎭",
        strict=True,
    )
)
_WINGDINGS = dict(
    zip(
        map(ord, '!"$%&()*6ABCDEFGHJKLNRTlmnopqrstuvwxyz\x9f¡¤§¨«¬ÕÖØßàáâãäåæèïðñòóûüýþ'),
        "✏✂👓🔔📖☎✆✉⌛✌👌👍👎☜☞☝☟☺😐☹☠☼❄●❍■□◻❑❒⬧⧫◆❖⬥⌧⍓⌘•○◉▪◻★✶⌫⌦➢←→↑↓↖↗↙↘➔⇦⇨⇧⇩⬄✗✓☒☑",
        strict=True,
    )
)
_WINGDINGS_2 = dict(zip(map(ord, "OPQRST£"), "✗✓☒☑☒☒☐", strict=True))


def _with_private(signs: Mapping[int, str]) -> dict[int, str]:
    return {**signs, **{0xF000 + code: sign for code, sign in signs.items()}}


FONTS = {
    "symbol": _with_private(_SYMBOL),
    "wingdings": _with_private(_WINGDINGS),
    "wingdings 2": _with_private(_WINGDINGS_2),
    "wingdings 3": {},
    "webdings": {},
}


def symbol_font(families: str) -> str:
    """Return the symbol font that a list of families begins with, or an empty text if it is another one."""
    first = families.partition(",")[0].strip(" '\"").lower()
    return first if first in FONTS else ""


def to_unicode(text: str, font: str) -> str:
    """Return a short text in a symbol font as the signs that it shows."""
    return text.translate(FONTS[font]) if len(text) <= MAX_SYMBOLS else text
