"""Ends the API token and the sessions of a person whose password changes or whose account is deactivated.

Django itself ends the sessions at a changed password: each holds a hash of the password.
"""

from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.utils import timezone
from rest_framework.authtoken.models import Token

FIELDS = frozenset({"password", "is_active"})


def end_credentials(
    instance: User, update_fields: frozenset[str] | None = None, raw: bool = False, **_: Any
) -> None:
    """Compare what is saved with what is stored, wherever it was changed: in a page, the admin or a command."""
    is_concerned = update_fields is None or bool(update_fields & FIELDS)
    if raw or instance.pk is None or not is_concerned or _is_rehash(instance, update_fields):
        return
    stored = User.objects.filter(pk=instance.pk).only(*FIELDS).first()
    if stored is None:
        return
    is_deactivated = stored.is_active and not instance.is_active
    if is_deactivated or stored.password != instance.password:
        Token.objects.filter(user_id=instance.pk).delete()
    if is_deactivated:
        _end_sessions(instance)


def _is_rehash(user: User, update_fields: frozenset[str] | None) -> bool:
    """Return True if Django, at a sign-in, stores the same password with its newest hash."""
    has_new_password = getattr(user, "_password", None) is not None  # set by set_password, until it is saved
    return update_fields == frozenset({"password"}) and not has_new_password


def _end_sessions(user: User) -> None:
    """Delete the sessions of a user, which would be valid again if the account were activated again."""
    for session in Session.objects.filter(expire_date__gt=timezone.now()).iterator():
        if session.get_decoded().get(SESSION_KEY) == str(user.pk):
            session.delete()
