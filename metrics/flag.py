"""The flag: how the next request for a PDF is served."""

from typing import Literal

from django.conf import settings

type Mode = Literal["inline", "queue"]


def mode() -> Mode:
    """Return the mode in force: nothing is measured yet, so ``auto`` means inline."""
    chosen: Mode = "queue" if settings.SPMS_MODE == "queue" else "inline"
    return chosen
