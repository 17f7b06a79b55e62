"""The endpoints of projects."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_view
from rest_framework.permissions import IsAuthenticated
from rest_framework.serializers import BaseSerializer

from documents.api import preconditions
from documents.api.serializers import ProjectSerializer
from documents.filters import ProjectFilter
from documents.models import Project
from metrics.api.permissions import IsStaffOrReadOnly


@extend_schema_view(**preconditions.SCHEMAS)
class ProjectViewSet(preconditions.ConditionalViewSet[Project]):
    """Projects: members and staff read them, staff change them."""

    serializer_class = ProjectSerializer
    filterset_class = ProjectFilter
    permission_classes = (IsAuthenticated, IsStaffOrReadOnly)
    lookup_value_regex = "[0-9]{1,18}"
    http_method_names = ("get", "post", "patch", "delete", "head", "options")

    def get_queryset(self) -> QuerySet[Project]:
        """Return the projects that the sender may see."""
        projects = Project.objects.for_user(self.request.user)
        return projects.select_related("business_area").prefetch_related("memberships__user")

    def etag_of(self, row: Any, serializer: BaseSerializer[Project]) -> str:
        """Return the ETag of a project."""
        return preconditions.project_etag(row, serializer.data)
