"""A token for a name and a password."""

from typing import Any

from rest_framework.authtoken.views import ObtainAuthToken


class TokenView(ObtainAuthToken):
    """Sign in; failures are counted, and too many of them are a 429."""

    def get_serializer_context(self) -> dict[str, Any]:
        """Authenticate with Django's own request, on which the counter of failures leaves its mark."""
        return {**super().get_serializer_context(), "request": self.request._request}
