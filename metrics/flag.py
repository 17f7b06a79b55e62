"""The flag: how the next request for a PDF is served. The evaluator sets it, and operators can override it."""

import logging
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

import cachetools
from cachetools import TTLCache
from django.conf import settings
from django.db import DatabaseError, transaction
from django.dispatch import Signal
from django.utils import timezone

from metrics.decisions.switch import Mode as Mode, Setting as Setting
from metrics.models import ModeChange, ModeState

CACHE_SECONDS = 1.0
DEFAULT_OVERRIDE = timedelta(hours=4)
MAX_OVERRIDE = timedelta(days=7)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Flag:
    """The setting, the mode in force, since when, why, and until when."""

    setting: Setting
    effective: Mode
    since: datetime
    reason: str
    expires_at: datetime | None = None
    by: str = ""


# Sent after a change of the mode in force was stored, with ``change_id``; a receiver cannot undo the change.
changed = Signal()

_last_known: Flag | None = None


@cachetools.cached(TTLCache(maxsize=1, ttl=CACHE_SECONDS), lock=threading.Lock())
def current() -> Flag:
    """Return the flag, at most a second old, or the last known flag while the database is away.

    Raises DatabaseError if the database is away and no flag is known.
    """
    global _last_known  # noqa: PLW0603 (it outlives the cache)
    try:
        _last_known = from_state(ModeState.objects.filter(pk=1).first() or ModeState())
    except DatabaseError as error:
        logger.warning("the mode cannot be read, so the last mode stays in force: %s", str(error).strip())
        if _last_known is None:
            raise
    return _last_known


def clear_cache() -> None:
    """Read the row again at the next call of ``current``."""
    current.cache_clear()


def forget() -> None:
    """Clear the cache and the last known flag."""
    global _last_known  # noqa: PLW0603
    _last_known = None
    clear_cache()


def mode() -> Mode:
    """Return the mode in force."""
    return current().effective


def is_auto() -> bool:
    """Return True if the limits decide, which lets the rules for a single request decide too."""
    return current().setting == "auto"


def from_state(state: ModeState) -> Flag:
    """Return the flag of a stored state."""
    if state.override and state.override_until and state.override_until > timezone.now():
        setting = cast("Setting", state.override)
        reason = f"{state.override_reason} (set by {state.override_by})"
        since, expires_at = state.override_at or state.since, state.override_until
    else:
        setting, expires_at = cast("Setting", settings.SPMS_MODE), None
        reason, since = f"SPMS_MODE is {setting}", state.since
    if setting == "auto":
        decided: Mode = "queue" if state.mode == "queue" else "inline"
        return Flag(
            setting=setting, effective=decided, since=state.since, reason=state.reason, expires_at=expires_at
        )
    return Flag(
        setting=setting,
        effective=setting,
        since=since,
        reason=reason,
        expires_at=expires_at,
        by=state.override_by,
    )


def override(setting: Setting, *, by: str, reason: str, until: datetime) -> Flag:
    """Override the setting until a time; the audit trail records it."""
    with transaction.atomic():
        state = _locked()
        before = from_state(state)
        state.override, state.override_by, state.override_reason = setting, by, reason
        state.override_at, state.override_until = timezone.now(), until
        state.save(update_fields=_OVERRIDE)
        return _record_change(
            before,
            from_state(state),
            by=by,
            reason=f"{reason} (until {until.isoformat(timespec='minutes')})",
            evidence={"reason": reason, "until": until.isoformat()},
        )


def end_override(*, by: str, reason: str) -> Flag:
    """End an override and return to ``SPMS_MODE``."""
    with transaction.atomic():
        state = _locked()
        before = from_state(state)
        if not state.override:
            return before
        state.override, state.override_by, state.override_reason = "", "", ""
        state.override_at = state.override_until = None
        state.save(update_fields=_OVERRIDE)
        return _record_change(before, from_state(state), by=by, reason=reason)


def end_expired_override() -> None:
    """End an override whose time is over, and record it in the audit trail."""
    if ModeState.objects.filter(pk=1, override_until__lte=timezone.now()).exists():
        end_override(by="evaluator", reason="the override has expired")


_OVERRIDE = ["override", "override_by", "override_reason", "override_at", "override_until"]


def _locked() -> ModeState:
    ModeState.objects.get_or_create(pk=1)
    return ModeState.objects.select_for_update().get(pk=1)


def _record_change(
    before: Flag, after: Flag, *, by: str, reason: str, evidence: dict[str, str] | None = None
) -> Flag:
    change = ModeChange.objects.create(
        before=before.effective,
        after=after.effective,
        setting=after.setting,
        actor=by,
        reason=reason[:500],
        evidence=evidence or {},
    )
    notify_change(change)
    clear_cache()
    return after


def change(change_id: int) -> ModeChange | None:
    """Return a change of the audit trail, or None if it is not there."""
    return ModeChange.objects.filter(pk=change_id).first()


def notify_change(change: ModeChange) -> None:
    """Send the signal for a change of the mode in force after the transaction commits."""
    if change.before != change.after and not change.is_dry_run:
        transaction.on_commit(lambda: _notify(change.pk))


def _notify(change_id: int) -> None:
    for receiver, answer in changed.send_robust(sender=ModeChange, change_id=change_id):
        if isinstance(answer, Exception):
            logger.error("%s failed to handle mode change %d: %s", receiver, change_id, answer)
