"""The page “Account”: password, sessions and API token of the person who is signed in, and a forgotten password."""

import functools
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from axes.handlers.proxy import AxesProxyHandler
from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import authenticate, views
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import PasswordChangeForm, PasswordResetForm
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_login_failed
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe
from rest_framework.authtoken.models import Token

from documents.models import SignIn
from documents.whole_numbers import MAX_ID_DIGITS, is_whole_number

MAX_LISTED = 50
SHOWN_CHARACTERS_OF_TOKEN = 4
SECONDS_BETWEEN_MAILS = 300
OTHERS = "others"
METHODS = ("GET", "HEAD", "POST", "OPTIONS")


@require_safe
@login_required
def account(request: HttpRequest) -> HttpResponse:
    """Show the account."""
    return _page(request)


@require_POST
@login_required
def change_token(request: HttpRequest) -> HttpResponse:
    """Make a new API token in place of the old one, and show it this once; or revoke it."""
    user = cast("User", request.user)
    Token.objects.filter(user=user).delete()
    if request.POST.get("action") == "create":
        return _page(request, new_token=Token.objects.create(user=user).key)
    messages.success(request, "The API token is revoked.")
    return redirect("account")


@require_POST
@login_required
def end_sessions(request: HttpRequest) -> HttpResponse:
    """End one of the user's sessions, or all but this one."""
    sign_ins = SignIn.objects.filter(user=cast("User", request.user))
    chosen = request.POST.get("session", "")
    if chosen == OTHERS:
        ended = sign_ins.exclude(session_key=request.session.session_key).end()
    else:
        is_id = is_whole_number(chosen, MAX_ID_DIGITS)
        ended = sign_ins.filter(pk=int(chosen)).end() if is_id else 0
    messages.success(request, f"{ended} session{'' if ended == 1 else 's'} ended.")
    return redirect("account")


def _page(request: HttpRequest, new_token: str = "") -> HttpResponse:  # nosec B107
    user = cast("User", request.user)
    token = Token.objects.filter(user=user).first()
    context = {
        "sign_ins": SignIn.objects.filter(user=user).live()[:MAX_LISTED],
        "current_key": request.session.session_key,
        "token": token,
        "token_end": token.key[-SHOWN_CHARACTERS_OF_TOKEN:] if token else "",
        "new_token": new_token,
    }
    return render(request, "account/account.html", context)


class ChangeForm(PasswordChangeForm):
    """The form that changes a password; a wrong old one counts as a failed sign-in."""

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._request = request

    def clean_old_password(self) -> str:
        """Return the old password. Raises ValidationError if it is wrong, or was wrong too often."""
        password: str = self.cleaned_data["old_password"]
        if authenticate(self._request, username=self.user.get_username(), password=password) is None:
            raise forms.ValidationError(self.error_messages["password_incorrect"], code="password_incorrect")
        return password


class PasswordView(views.PasswordChangeView):
    """Changes the password, which ends all other sessions and revokes the API token."""

    form_class = ChangeForm
    template_name = "account/password.html"
    success_url = reverse_lazy("account")

    def get_form_kwargs(self) -> dict[str, Any]:
        """Return the arguments of the form."""
        return {**super().get_form_kwargs(), "request": self.request}

    def form_valid(self, form: Any) -> HttpResponse:
        """Store the password; this session goes on under a new key."""
        own = SignIn.objects.filter(session_key=self.request.session.session_key)
        own_ids = list(own.values_list("pk", flat=True))
        response = super().form_valid(form)
        SignIn.objects.filter(pk__in=own_ids).update(session_key=self.request.session.session_key)
        SignIn.objects.filter(user=cast("User", self.request.user)).exclude(pk__in=own_ids).end()
        messages.success(
            self.request, "Your password is changed. All other sessions and the API token are ended."
        )
        return response


class _MailMixin(views.PasswordContextMixin):
    """Is there only where a mail server is set; Django shows a void link to any method."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Pass the request on. Raises Http404 without a mail server."""
        if not settings.SPMS_SENDS_MAIL:
            raise Http404
        if request.method not in METHODS:
            return HttpResponseNotAllowed(METHODS)
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
        return response


class ResetForm(PasswordResetForm):
    """The form that mails a link; the answer takes as long for a known address as for an unknown one."""

    def send_mail(self, *args: Any, **kwargs: Any) -> None:
        """Send a mail from a thread, at most one in five minutes to each person."""
        person = next(value for value in (*args, kwargs.get("context")) if isinstance(value, dict))["user"]
        if cache.add(f"password-reset:{person.pk}", True, SECONDS_BETWEEN_MAILS):
            _mailer().submit(super().send_mail, *args, **kwargs)


@functools.cache
def _mailer() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="password-reset")


class ResetView(_MailMixin, views.PasswordResetView):
    """Mails a link for a new password; requests count like failed sign-ins, for each address and client."""

    form_class = ResetForm
    template_name = "account/reset.html"
    email_template_name = "account/reset_mail.txt"
    subject_template_name = "account/reset_subject.txt"

    def form_valid(self, form: Any) -> HttpResponse:
        """Count the request, and mail the link unless there were too many."""
        counted = {"username": form.cleaned_data["email"].lower()}
        if not AxesProxyHandler.is_allowed(self.request, counted):
            self.request.axes_locked_out = True  # type: ignore[attr-defined]
            return HttpResponse(status=429)
        user_login_failed.send(sender=__name__, credentials=counted, request=self.request)
        # Links lead to the site's own address, whatever host the request names.
        self.extra_email_context = {"site": settings.SPMS_URL}
        return super().form_valid(form)


class ResetSentView(_MailMixin, views.PasswordResetDoneView):
    """Says that a link was mailed, if the address is known."""

    template_name = "account/reset_sent.html"


class NewPasswordView(_MailMixin, views.PasswordResetConfirmView):
    """Takes the new password from whoever has the mailed link."""

    template_name = "account/new_password.html"
    success_url = reverse_lazy("login")

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """Return the view, which hides the passwords from error reports."""
        return sensitive_post_parameters()(super().as_view(**initkwargs))

    def form_valid(self, form: Any) -> HttpResponse:
        """Store the password, and end all sessions of the person."""
        response = super().form_valid(form)
        SignIn.objects.filter(user=form.user).end()
        messages.success(self.request, "Your password is changed. Sign in with it.")
        return response
