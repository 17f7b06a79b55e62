"""The endpoint that exchanges a username and password for a token."""

from typing import Any, cast

from django.contrib.auth.signals import user_logged_in
from rest_framework import parsers
from rest_framework.authtoken.models import Token
from rest_framework.authtoken.serializers import AuthTokenSerializer
from rest_framework.authtoken.views import ObtainAuthToken
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from documents.api.parsers import BoundedJsonParser

MAX_NAME_CHARACTERS = 150  # Django's
NAME_TOO_LONG = f"A username has at most {MAX_NAME_CHARACTERS} characters; shorten it."


def is_too_long(name: object) -> bool:
    """Return True for a name that no user can have."""
    return isinstance(name, str) and len(name) > MAX_NAME_CHARACTERS


class TokenSerializer(AuthTokenSerializer):
    """The name and password of a user."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return the values with their user. Raises ValidationError, which says if the name is too long."""
        try:
            return cast("dict[str, Any]", super().validate(attrs))
        except ValidationError as error:
            if is_too_long(attrs["username"]):
                raise ValidationError({"username": NAME_TOO_LONG}) from error
            raise


class TokenView(ObtainAuthToken):
    """Signs users in; too many failures are a 429."""

    serializer_class = TokenSerializer
    # An old token or session in the request does not matter.
    authentication_classes = ()
    parser_classes = (parsers.FormParser, parsers.MultiPartParser, BoundedJsonParser)

    def get_serializer_context(self) -> dict[str, Any]:
        """Return the context with Django's own request, which django-axes marks when it counts a failure."""
        return {**super().get_serializer_context(), "request": self.request._request}

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return the user's token and reset the count of their failures, as after signing in on a page."""
        form = self.get_serializer(data=request.data)
        form.is_valid(raise_exception=True)
        user = form.validated_data["user"]
        user_logged_in.send(sender=type(user), request=request._request, user=user)
        token, _ = Token.objects.get_or_create(user=user)
        return Response({"token": token.key})
