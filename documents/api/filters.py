"""What lists can be filtered by."""

from django_filters import rest_framework as filters

from documents.models import Document, Project, Task


class ProjectFilter(filters.FilterSet):
    """Filters of the list of projects."""

    class Meta:
        model = Project
        fields = ("kind", "year", "status", "business_area", "tag")


class DocumentFilter(filters.FilterSet):
    """Filters of the list of documents; ``project`` is its id."""

    project = filters.NumberFilter(field_name="project_id")

    class Meta:
        model = Document
        fields = ("kind", "year", "status", "project")


class TaskFilter(filters.FilterSet):
    """Filters of the list of tasks; ``document`` is its id."""

    document = filters.NumberFilter(field_name="document_id")

    class Meta:
        model = Task
        fields = ("kind", "status", "mode", "document")
