"""Backends of ``django.tasks`` for the engines that this project runs on."""
