"""Addresses under ``/dashboard/tasks/``."""

from django.urls import path

from documents.pages import views

urlpatterns = [path("", views.home, name="task-pages")]
