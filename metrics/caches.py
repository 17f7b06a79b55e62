"""The caches of this app in one place, so that tests can clear them all."""

from metrics import flag
from metrics.collection import activity
from metrics.dashboard import context


def clear_all() -> None:
    """Clear every cache with a time to live, and the last known mode."""
    flag.forget()
    activity.clear_cache()
    context.clear_caches()
