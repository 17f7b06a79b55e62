"""The fonts for other scripts and emoji: where Debian's packages put them, and which package has which characters.

``fonts/fonts.conf`` gives the same files to the rendering processes. They may be missing; then their characters print
as boxes, and the warning names the package.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

TRUETYPE, OPENTYPE = Path("/usr/share/fonts/truetype/noto"), Path("/usr/share/fonts/opentype/noto")
PATTERNS = (
    (TRUETYPE, "NotoSans*-Regular.ttf"),
    (TRUETYPE, "NotoSans*-Bold.ttf"),
    (TRUETYPE, "NotoColorEmoji.ttf"),
    (OPENTYPE, "NotoSansCJK-*.ttc"),
)
# A font begins with the checksums of its tables.
CHECKSUMS_BYTES = 8192


@dataclass(frozen=True, kw_only=True)
class Package:
    """A package of Debian: a file of it, and the characters that it has, as ranges."""

    name: str
    file: Path
    ranges: tuple[tuple[int, int], ...]

    def has(self, character: str) -> bool:
        """Return True if the character is in one of its ranges."""
        return any(first <= ord(character) <= last for first, last in self.ranges)


# The last one has all other scripts.
PACKAGES = (
    Package(
        name="fonts-noto-cjk",
        file=OPENTYPE / "NotoSansCJK-Regular.ttc",
        ranges=(
            *((0x1100, 0x11FF), (0x2E80, 0x31FF), (0x3200, 0x9FFF), (0xA960, 0xA97F), (0xAC00, 0xD7FF)),
            *((0xF900, 0xFAFF), (0xFE30, 0xFE4F), (0xFF00, 0xFFEF), (0x20000, 0x3FFFF)),
        ),
    ),
    Package(
        name="fonts-noto-color-emoji",
        file=TRUETYPE / "NotoColorEmoji.ttf",
        ranges=((0x1F000, 0x1FAFF), (0xE0020, 0xE007F)),
    ),
    Package(
        name="fonts-noto-core",
        file=TRUETYPE / "NotoSans-Regular.ttf",
        ranges=((0x0000, 0xDFFF), (0xF900, 0xEFFFF)),
    ),
)


def missing_packages(characters: Iterable[str]) -> list[str]:
    """Return the names of the packages that have characters and are not installed."""
    needed = (next((package for package in PACKAGES if package.has(sign)), None) for sign in characters)
    return sorted({package.name for package in needed if package and not package.file.exists()})


def checksums() -> Iterator[bytes]:
    """Yield what tells each installed font from other versions of it."""
    for folder, pattern in PATTERNS:
        for path in sorted(folder.glob(pattern)):
            with path.open("rb") as stream:
                beginning = stream.read(CHECKSUMS_BYTES)
            yield f"{path.name} {path.stat().st_size} ".encode() + hashlib.sha256(beginning).digest()
