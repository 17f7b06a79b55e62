"""The sign-ins of people, so that each can see and end their own sessions."""

from typing import Self

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import models, transaction
from django.utils import timezone

MAX_BROWSER_CHARACTERS = 200
# How browsers and systems call themselves, the more special ones first.
BROWSERS = {"Edg/": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari"}
SYSTEMS = {
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "Linux": "Linux",
}


class SignInQuerySet(models.QuerySet["SignIn"]):
    """A queryset of sign-ins."""

    def live(self) -> Self:
        """Return the sign-ins whose sessions have not ended."""
        sessions = Session.objects.filter(expire_date__gt=timezone.now())
        return self.filter(session_key__in=sessions.values("session_key"))

    def ended(self) -> Self:
        """Return the sign-ins whose sessions are gone."""
        return self.exclude(session_key__in=Session.objects.values("session_key"))

    @transaction.atomic
    def end(self) -> int:
        """End the sessions of these sign-ins and return their number."""
        keys = list(self.values_list("session_key", flat=True))
        Session.objects.filter(session_key__in=keys).delete()
        self.model._default_manager.filter(session_key__in=keys).delete()
        return len(keys)


class SignIn(models.Model):
    """A session that a person has begun: from which address, with which browser, and when."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="sign_ins")
    session_key = models.CharField(max_length=40, unique=True)
    address = models.GenericIPAddressField()
    browser = models.CharField("user agent", max_length=MAX_BROWSER_CHARACTERS, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = SignInQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.user}, {self.title}"

    @property
    def title(self) -> str:
        """The browser and the system: “Firefox on Windows”."""
        browser = next((name for sign, name in BROWSERS.items() if sign in self.browser), "A program")
        system = next((name for sign, name in SYSTEMS.items() if sign in self.browser), "")
        return f"{browser} on {system}" if system else browser
