"""Signing in: names are bounded before they are looked up or counted, and no data of the request is stored."""

from collections.abc import Mapping
from typing import Any

from axes.models import AccessAttempt
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest

from documents.api.tokens import MAX_NAME_CHARACTERS, NAME_TOO_LONG, is_too_long
from documents.models import SignIn
from documents.models.sign_ins import MAX_BROWSER_CHARACTERS
from spms.middleware import client_address

MAX_STORED_CHARACTERS = 200
MISMATCH = "Name and password do not fit together. Both mind capital letters."
# The name under which failures with longer ones are counted, for each address.
LONG_NAME = f"(more than {MAX_NAME_CHARACTERS} characters)"


class NameLengthBackend:
    """Refuses a name that no user can have, before a password is hashed; django-axes counts it as a failure."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **_: Any
    ) -> User | None:
        """Return None, so that the next backend is asked. Raises PermissionDenied."""
        if is_too_long(username):
            raise PermissionDenied(NAME_TOO_LONG)
        return None


def counted_name(request: HttpRequest, credentials: Mapping[str, Any] | None = None) -> str | None:
    """Return the name under which django-axes counts a failure (AXES_USERNAME_CALLABLE)."""
    name = (credentials or request.POST).get("username")
    return LONG_NAME if is_too_long(name) else name


def forget_request(sender: object, instance: AccessAttempt, **_: Any) -> None:
    """Remove from a counted failure what django-axes would keep of its request: a body of any length."""
    instance.get_data = instance.post_data = ""
    instance.path_info = instance.path_info[:MAX_STORED_CHARACTERS]
    instance.http_accept = instance.http_accept[:MAX_STORED_CHARACTERS]


def record(sender: object, request: HttpRequest, user: User, **_: Any) -> None:
    """Keep with a new session whose it is, and from where, so that the person can see and end it."""
    session = getattr(request, "session", None)
    if session is None or session.get(SESSION_KEY) != str(user.pk):  # a token was asked for
        return
    if session.session_key is None:
        session.save()
    browser = request.headers.get("User-Agent", "").replace("\0", "")[:MAX_BROWSER_CHARACTERS]
    SignIn.objects.update_or_create(
        session_key=session.session_key,
        defaults={"user": user, "address": client_address(request), "browser": browser},
    )


def forget(sender: object, request: HttpRequest, user: User | None, **_: Any) -> None:
    """Delete the sign-in of a session that its person ends."""
    SignIn.objects.filter(session_key=request.session.session_key).delete()


class _NameLengthMixin(AuthenticationForm):
    def get_invalid_login_error(self) -> ValidationError:
        """Return why the sign-in was refused."""
        is_impossible = is_too_long(self.cleaned_data.get("username"))
        return ValidationError(NAME_TOO_LONG if is_impossible else MISMATCH, code="invalid_login")


class SignInForm(_NameLengthMixin):
    """The form of the sign-in page."""


class AdminSignInForm(_NameLengthMixin, AdminAuthenticationForm):
    """The form of the admin's sign-in page."""
