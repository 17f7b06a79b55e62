"""The permission that the endpoints of metrics and of documents share; querysets restrict the visible rows."""

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView


class IsStaffOrReadOnly(BasePermission):
    """Allow reading to all users and changes to staff only."""

    message = "Only staff may change this."

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return True if the sender may use the method."""
        return request.method in SAFE_METHODS or bool(request.user.is_staff)
