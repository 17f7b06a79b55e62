"""The URLs under ``/dashboard/cycles/``."""

from django.urls import path

from documents.pages import cycles

urlpatterns = [
    path("", cycles.overview, name="cycle-pages"),
    path("open/", cycles.open_new, name="cycle-pages-open"),
    path("<int:pk>/", cycles.cycle, name="cycle-page"),
    path("<int:pk>/now/", cycles.live_partial, name="cycle-page-now"),
    path("<int:pk>/act/", cycles.perform_action, name="cycle-page-act"),
]
