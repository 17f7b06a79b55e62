"""Writes docs/licences.md: what runs with SPMS, and under which licence (``make licences``).

The packages are those of the lock files of a run; their licences are read by pip-licenses from what is installed.
"""

import functools
import json
import re
import subprocess
import sys
from pathlib import Path

from packaging.markers import Marker
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LOCKS = {
    "run": "always",
    "celery": "`SPMS_QUEUE_BACKEND=celery`",
    "observe": "Sentry, OpenTelemetry",
    "azure": "`azure://`",
}
PINNED = re.compile(r"^([a-z0-9][a-z0-9.-]*)(?:\[[^\]]*\])?==[^ ;]+(?: ; ([^\\\n]*))?", re.MULTILINE)
HERE = {"sys_platform": "linux", "platform_system": "Linux", "platform_python_implementation": "CPython"}

# Each may be used and passed on with SPMS unchanged; the LGPL's and MPL's packages stay files of their own.
ALLOWED = frozenset(
    (
        *("0BSD", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "HPND", "ISC", "LGPL-2.1-or-later"),
        *("LGPL-3.0-only", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "OFL-1.1", "PSF-2.0"),
    )
)
# How authors spell them.
SPELLINGS = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "BSD 3-Clause": "BSD-3-Clause",
    "BSD License": "BSD",
    "BSD-3-Clause, Apache-2.0, dependency licenses": "BSD-3-Clause AND Apache-2.0",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.1-or-later",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
HEAD = """# Licences

SPMS is under the [MIT licence](../LICENSE). The packages that run with it are listed here. `make licences` and
`make lock` write this page; a test fails when a package is missing here or has a licence that is not on the list in
[licences.py](../deploy/licences.py). Versions and digests stand in `requirements/`.

## Python packages

On Linux. Windows adds colorama (BSD-3-Clause) and tzdata (Apache-2.0), PyPy brotlicffi (MIT). Of several licences
with "or", the first one on our list is taken.

| package | licence | needed for |
| --- | --- | --- |
"""
FOOT = """
Some wheels bring libraries of their own, with their licences inside the wheel: libpq (PostgreSQL) in psycopg-binary,
libxml2 and libxslt (MIT) in lxml, qpdf (Apache-2.0) in pikepdf, libjpeg-turbo, zlib, libtiff, libwebp, FreeType and
others (BSD-like) in pillow, PDFium, FreeType, AGG and others (BSD-like) in pypdfium2.
drf-spectacular-sidecar brings Swagger UI (Apache-2.0) and Redoc (MIT).

## Files in this repository

| file | from | licence |
| --- | --- | --- |
| `htmx.min.js` | htmx.org | 0BSD |
| `uPlot.iife.min.js`, `uPlot.min.css` | uPlot, © Leon Sorokin | MIT |
| `SourceSans3-*.ttf` | Source Sans, © Adobe | [OFL-1.1](../documents/rendering/fonts/LICENSE-SourceSans.md) |
| `SourceSerif4*.ttf` | Source Serif, © Adobe | [OFL-1.1](../documents/rendering/fonts/LICENSE-SourceSerif.md) |
| `DejaVuSans.ttf` | DejaVu, © Bitstream, others | [Bitstream Vera](../documents/rendering/fonts/LICENSE-DejaVu.txt) |

The sample data (texts, pictures) was made for SPMS and is under its licence.

## From the system

Pango and GLib (LGPL-2.1-or-later), HarfBuzz and Fontconfig (MIT-like), Python (PSF-2.0), Noto fonts (OFL-1.1). They
come from the distribution and are not part of SPMS; the container image has them as Debian packages them.
"""


def pinned(lock: str) -> set[str]:
    """Return the names of the packages that a lock file installs on Linux."""
    lines = PINNED.findall((ROOT / "requirements" / f"{lock}.txt").read_text())
    return {name for name, marker in lines if not marker or Marker(marker.strip()).evaluate(HERE)}


@functools.cache
def licences() -> dict[str, str]:
    """Return the licence of every installed package, as SPDX writes it where that is clear."""
    command = [sys.executable, "-m", "piplicenses", "--with-system", "--from=mixed", "--format=json"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {canonicalize_name(package["Name"]): _plain(package["License"]) for package in json.loads(printed)}


def _plain(licence: str) -> str:
    """Return "MIT or Apache-2.0" for "MIT License; Apache Software License"."""
    choices = [choice.strip() for choice in re.split(r";| OR ", licence)]
    return " or ".join(SPELLINGS.get(choice, choice) for choice in choices)


def is_allowed(licence: str) -> bool:
    """Return True if a licence, or one of its alternatives, is on our list with all its parts."""
    return any(set(choice.split(" AND ")) <= ALLOWED for choice in licence.split(" or "))


def rows() -> dict[str, tuple[str, str]]:
    """Return the licence of every package of a run, and what needs it."""
    packages: dict[str, tuple[str, str]] = {}
    for lock, purpose in LOCKS.items():
        for name in sorted(pinned(lock) - set(packages)):
            packages[name] = (licences().get(name, "not installed"), purpose)
    return packages


def page() -> str:
    """Return docs/licences.md."""
    lines = (f"| {name} | {licence} | {purpose} |\n" for name, (licence, purpose) in rows().items())
    return HEAD + "".join(lines) + FOOT


if __name__ == "__main__":
    (ROOT / "docs" / "licences.md").write_text(page())
