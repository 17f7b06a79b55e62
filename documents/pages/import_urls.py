"""The URLs under ``/dashboard/imports/``."""

from django.urls import path

from documents.pages import imports

urlpatterns = [
    path("", imports.overview, name="import-pages"),
    path("now/", imports.live_partial, name="import-pages-now"),
]
