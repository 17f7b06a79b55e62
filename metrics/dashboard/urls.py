"""Addresses under ``/dashboard/``."""

from django.urls import path

from metrics.dashboard import views

urlpatterns = [
    path("", views.page, name="dashboard"),
    path("live/", views.live, name="dashboard-live"),
    path("series/", views.series, name="dashboard-series"),
    path("changes/", views.changes, name="dashboard-changes"),
    path("changes/<int:pk>/", views.evidence, name="dashboard-evidence"),
    path("what-if/", views.what_if, name="dashboard-what-if"),
    path("mode/", views.override, name="dashboard-mode"),
    path("mode/end/", views.end_override, name="dashboard-mode-end"),
]
