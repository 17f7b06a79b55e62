"""The URLs of the pages for all users."""

from django.urls import path

from documents.pages import document_list, documents, exports, pdf_zip

urlpatterns = [
    path("", document_list.home, name="home"),
    path("documents/list/", document_list.list_partial, name="documents-list"),
    path("documents/zip/", pdf_zip.download, name="documents-zip"),
    path("documents/<int:pk>/", documents.document, name="document-page"),
    path("documents/<int:pk>/made/", documents.versions_partial, name="document-page-made"),
    path("documents/<int:pk>/images/", documents.images_partial, name="document-page-images"),
    path("documents/<int:pk>/text/<slug:section>/", documents.section_text, name="document-text"),
    path("documents/<int:pk>/first-page/<uuid:task_id>/", documents.picture, name="document-first-page"),
    path("exports/", exports.exports, name="exports-page"),
    path("exports/made/", exports.exports_partial, name="exports-made"),
]
