"""The kind of task of ``bench.sleeping``: it takes as long as a short PDF, and none of the machine."""

import time

from django.apps import AppConfig

SLEEP_SECONDS = 0.25


class Sleeper(AppConfig):
    """Registers the kind ``sleep``, and starts no rendering processes."""

    name = "bench.sleeper"
    label = "sleeper"

    def ready(self) -> None:
        """Register the kind, and leave a new worker without its rendering process."""
        from django_q.signals import post_spawn

        from documents.queue import registry

        def sleep(context: registry.TaskContext) -> registry.TaskOutput:
            time.sleep(SLEEP_SECONDS)
            return registry.TaskOutput(fingerprint=context.task.fingerprint)

        registry.register(registry.TaskType(name="sleep", title="sleep", run=sleep))
        post_spawn.disconnect(dispatch_uid="documents.start_worker")
