"""The addresses of the API, under ``/api/v1/``."""

from django.urls import path
from rest_framework.authtoken.views import ObtainAuthToken
from rest_framework.routers import SimpleRouter

from documents.api.views import DocumentViewSet, ImageFileView, ProjectViewSet, TaskViewSet

router = SimpleRouter()
router.register("projects", ProjectViewSet, basename="project")
router.register("documents", DocumentViewSet, basename="document")
router.register("tasks", TaskViewSet, basename="task")

urlpatterns = [
    path("auth/token/", ObtainAuthToken.as_view(), name="token"),
    path("images/<uuid:pk>/", ImageFileView.as_view(), name="image-file"),
    *router.urls,
]
