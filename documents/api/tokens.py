"""A token for a name and a password."""

from typing import Any

from django.contrib.auth.signals import user_logged_in
from rest_framework import parsers
from rest_framework.authtoken.models import Token
from rest_framework.authtoken.views import ObtainAuthToken
from rest_framework.request import Request
from rest_framework.response import Response

from documents.api.parsers import BoundedJsonParser


class TokenView(ObtainAuthToken):
    """Sign in; failures are counted, and too many of them are a 429."""

    # Who signs in need not be signed in: an old token or session that comes along does not matter.
    authentication_classes = ()
    parser_classes = (parsers.FormParser, parsers.MultiPartParser, BoundedJsonParser)

    def get_serializer_context(self) -> dict[str, Any]:
        """Authenticate with Django's own request, on which the counter of failures leaves its mark."""
        return {**super().get_serializer_context(), "request": self.request._request}

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return the person's token; their failures are forgotten, as after signing in on a page."""
        form = self.get_serializer(data=request.data)
        form.is_valid(raise_exception=True)
        user = form.validated_data["user"]
        user_logged_in.send(sender=type(user), request=request._request, user=user)
        token, _ = Token.objects.get_or_create(user=user)
        return Response({"token": token.key})
