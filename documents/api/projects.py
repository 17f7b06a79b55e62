"""The endpoints of projects."""

from django.db.models import QuerySet
from rest_framework import viewsets
from rest_framework.permissions import IsAuthenticated

from documents.api.serializers import ProjectSerializer
from documents.filters import ProjectFilter
from documents.models import Project
from metrics.api.permissions import IsStaffOrReadOnly


class ProjectViewSet(viewsets.ModelViewSet[Project]):
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
