"""Django's entry for the app."""

from typing import Any

from django.apps import AppConfig


class DocumentsConfig(AppConfig):
    """The documents app."""

    name = "documents"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the kinds of task and the metrics of the queue, and warm up each worker that starts."""
        from django.contrib import admin
        from django_q.models import Schedule
        from django_q.signals import post_spawn

        from documents import tasks
        from documents.operations import task_metrics

        tasks.autodiscover()
        task_metrics.register()
        admin.site.unregister(Schedule)  # its scheduler is off: PeriodicTask takes its place
        post_spawn.connect(start_worker, dispatch_uid="documents.start_worker")


def start_worker(**_: Any) -> None:
    """Prepare a new worker process: its metrics, and a rendering process for its first PDF."""
    from documents.tasks.pdf import task as pdf_task
    from metrics import instruments

    instruments.recover_lost_requests()
    pdf_task.warm_up()
