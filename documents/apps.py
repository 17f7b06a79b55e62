"""Django's entry for the app."""

from typing import Any

from django.apps import AppConfig
from django.core import checks


class DocumentsConfig(AppConfig):
    """The documents app."""

    name = "documents"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the kinds of task that this app runs, and warm each worker of the queue when it starts."""
        from django_q.signals import post_spawn

        from documents.operations import task_metrics
        from documents.tasks import maintenance
        from documents.tasks.cycles import task as letter_task
        from documents.tasks.exports import task as export_task
        from documents.tasks.images import task as image_task
        from documents.tasks.imports import task as imports
        from documents.tasks.notifications import alerts, task as notification_task
        from documents.tasks.pdf import task as pdf_task

        pdf_task.register()
        image_task.register()
        imports.register()
        maintenance.register()
        notification_task.register()
        export_task.register()
        alerts.register()
        letter_task.register()
        checks.register(alerts.check)
        task_metrics.register()
        post_spawn.connect(start_worker, dispatch_uid="documents.start_worker")


def start_worker(**_: Any) -> None:
    """Let a new process of workers count, and render without having to start for it."""
    from documents.tasks.pdf import task as pdf_task
    from metrics import instruments

    instruments.recover_lost_requests()
    pdf_task.warm_up()
