"""The URLs of the pages for all users."""

from django.urls import path

from documents.pages import documents, exports

urlpatterns = [
    path("", documents.home, name="home"),
    path("documents/<int:pk>/", documents.document, name="document-page"),
    path("documents/<int:pk>/made/", documents.versions_partial, name="document-page-made"),
    path("documents/<int:pk>/images/", documents.images_partial, name="document-page-images"),
    path("exports/", exports.exports, name="exports-page"),
    path("exports/made/", exports.exports_partial, name="exports-made"),
]
