"""Pictures of pages, kept for whoever wants to look, in the three ways that people see them."""

from typing import Any

from tests.acceptance.system import ROOT

FOLDER = ROOT / "var" / "pictures"
DESK = {"width": 1280, "height": 900}
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": DESK},
    "dark": {"viewport": DESK, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}},
}


def take(page, name):
    """Take a picture of the whole page, with its carets: hiding them writes styles into the page."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=FOLDER / f"{name}.png", full_page=True, caret="initial")


def keep(page, name):
    """Keep a picture of the whole page, which must not scroll sideways."""
    take(page, name)
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{name} scrolls sideways"
