"""The URLs under ``/dashboard/reports/``."""

from django.urls import path

from documents.pages import reports

urlpatterns = [
    path("", reports.overview, name="report-pages"),
    path("list/", reports.reports_partial, name="report-pages-list"),
]
