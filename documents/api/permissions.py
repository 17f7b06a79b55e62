"""Permissions of the endpoints; querysets restrict the visible rows."""

from collections.abc import Mapping
from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from documents.models import Document, document_types
from documents.models.approvals import APPROVALS


class DocumentPermission(BasePermission):
    """Members change their documents; only staff approve or delete them, and create annual reports."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return True unless the request creates a document that only staff may create."""
        if getattr(view, "action", "") != "create" or request.user.is_staff:
            return True
        return self._allows(_find_approval(request.data) or _find_annual_report(request.data))

    def has_object_permission(self, request: Request, view: APIView, obj: Document) -> bool:
        """Return True unless the request changes a document in a way that only staff may."""
        if request.user.is_staff:
            return True
        match getattr(view, "action", ""):
            case "destroy":
                return self._allows("Only staff may delete a document.")
            case "partial_update":
                return self._allows(_find_approval(request.data))
        return True

    def _allows(self, refusal: str) -> bool:
        self.message = refusal
        return not refusal


def _find_approval(data: Any) -> str:
    """Return why only staff may send this, or an empty text; what is malformed is left to the serializer."""
    if not isinstance(data, Mapping):
        return ""
    approvals = data.get("approvals")
    is_change = isinstance(approvals, Mapping) and any(
        isinstance(approvals.get(name), bool) for name in APPROVALS
    )
    if is_change or data.get("status") == Document.Status.APPROVED:
        return "Only staff may approve a document or change its approvals."
    return ""


def _find_annual_report(data: Any) -> str:
    """Return why only staff may send this, or an empty text."""
    is_annual = isinstance(data, Mapping) and data.get("kind") == document_types.ANNUAL_REPORT.key
    return "Only staff may create an annual report." if is_annual else ""
