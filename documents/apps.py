"""Django's entry for the app."""

from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.db.models.signals import pre_save

from documents import characters


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
        pre_save.connect(clean_names, sender=settings.AUTH_USER_MODEL, dispatch_uid="documents.clean_names")
        post_spawn.connect(start_worker, dispatch_uid="documents.start_worker")


def clean_names(instance: Any, **_: Any) -> None:
    """Take what cannot be printed or mailed out of the names of a person that is saved."""
    instance.first_name = characters.one_line(instance.first_name)
    instance.last_name = characters.one_line(instance.last_name)


def start_worker(**_: Any) -> None:
    """Prepare a new worker process: its metrics, and a rendering process for its first PDF."""
    from documents.tasks.pdf import task as pdf_task
    from metrics import instruments

    instruments.recover_lost_requests()
    pdf_task.warm_up()
