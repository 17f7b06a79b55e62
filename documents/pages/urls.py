"""The pages of everybody who is signed in."""

from django.urls import path

from documents.pages import exports, views

urlpatterns = [
    path("", views.home, name="home"),
    path("documents/<int:pk>/", views.document, name="document-page"),
    path("documents/<int:pk>/made/", views.made, name="document-page-made"),
    path("documents/<int:pk>/images/", views.images, name="document-page-images"),
    path("exports/", exports.exports, name="exports-page"),
    path("exports/made/", exports.made, name="exports-made"),
]
