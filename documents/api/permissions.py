"""Who may call: beside the querysets, which decide what somebody sees."""

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView


class IsStaffOrReadOnly(BasePermission):
    """Everybody may read what they can see; only staff may change it."""

    message = "Only staff may change this."

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Say whether the method is allowed."""
        return request.method in SAFE_METHODS or bool(request.user.is_staff)
