"""``python -m bench.feeder COUNT PER_SECOND``: submit tasks that sleep, with the settings ``bench.sleeping``."""

import sys
import time
import uuid

import django


def main() -> None:
    """Submit the tasks at an even pace; a pace of 0 is as fast as it goes."""
    count, per_second = int(sys.argv[1]), float(sys.argv[2])
    django.setup()
    from django.contrib.auth.models import User

    from documents.queue import hints
    from documents.queue.requests import TaskRequest

    user, begun_at = User.objects.get(username="bench"), time.monotonic()
    for number in range(count):
        due_at = begun_at + (number / per_second if per_second else 0)
        time.sleep(max(0.0, due_at - time.monotonic()))
        hints.submit_in_background(TaskRequest(kind="sleep", fingerprint=uuid.uuid4().hex), user=user)


if __name__ == "__main__":
    main()
