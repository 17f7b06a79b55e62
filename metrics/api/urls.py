"""Addresses under ``/api/v1/``."""

from django.urls import path

from metrics.api.views import FeedbackView, ModeView, ThresholdsView

urlpatterns = [
    path("thresholds/", ThresholdsView.as_view(), name="thresholds"),
    path("mode/", ModeView.as_view(), name="mode"),
    path("feedback/", FeedbackView.as_view(), name="feedback"),
]
