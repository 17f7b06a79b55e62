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

        from documents import alerts, facts, maintenance, notices, pdf, preparing
        from documents.cycles import sending
        from documents.exports import work
        from documents.imports import tasks as imports

        pdf.register()
        preparing.register()
        imports.register()
        maintenance.register()
        notices.register()
        work.register()
        alerts.register()
        sending.register()
        checks.register(alerts.check)
        facts.supply()
        post_spawn.connect(start_worker, dispatch_uid="documents.start_worker")


def start_worker(**_: Any) -> None:
    """Let a new process of workers count, and render without having to start for it."""
    from documents import pdf
    from metrics import instruments

    instruments.start_process()
    pdf.warm()
