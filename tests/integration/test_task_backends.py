"""The backends of the queue: who comes first, and which settings of Celery are refused."""

import pytest
from django_q.models import OrmQ
from kombu.transport.redis import Channel

from documents.queue import hints
from spms.task_backends import broker, celery

pytestmark = pytest.mark.django_db
RABBITMQ = {"CELERY_BROKER_URL": "amqp://127.0.0.1//", "CELERY_BROKER_TRANSPORT_OPTIONS": {}}


def test_the_database_hands_out_what_can_wait_last():
    hints.run_task.using(priority=-50).enqueue("later")
    hints.run_task.enqueue("first")
    hints.run_task.using(priority=50).enqueue("second")
    entries = broker.NotifyingOrmBroker(list_key="spms")
    taken = [entries._take() for _ in range(4)]
    assert [OrmQ.objects.get(pk=entry[0]).task["args"][1] for entry in taken if entry] == [
        ["first"],
        ["second"],
        ["later"],
    ]
    assert taken[3] is None


def test_what_the_clock_begins_can_wait():
    hints.begin_scheduled("cleanup")
    assert OrmQ.objects.get().key == "spms-later"


def test_rabbitmq_begins_with_the_largest_priority_and_redis_with_the_smallest():
    priorities = (-100, hints.LOW_PRIORITY, 0, 100)
    assert [celery._priority(priority, is_redis=False) for priority in priorities] == [0, 2, 4, 9]
    assert [celery._priority(priority, is_redis=True) for priority in priorities] == [9, 7, 5, 0]


def test_redis_keeps_what_can_wait_apart(settings):
    steps = settings.CELERY_BROKER_TRANSPORT_OPTIONS["priority_steps"]
    channel = Channel.__new__(Channel)
    channel.priority_steps = steps
    assert channel.priority(celery._priority(0, is_redis=True)) < channel.priority(
        celery._priority(hints.LOW_PRIORITY, is_redis=True)
    )


@pytest.mark.parametrize(
    ("change", "number"),
    [
        ({"CELERY_TASK_TIME_LIMIT": None}, "E021"),
        ({"CELERY_TASK_TIME_LIMIT": 100}, "E021"),
        ({"CELERY_TASK_ACKS_LATE": False}, "E022"),
        ({"CELERY_TASK_REJECT_ON_WORKER_LOST": False}, "E022"),
        ({"CELERY_WORKER_PREFETCH_MULTIPLIER": 4}, "E023"),
        ({"CELERY_TASK_ALWAYS_EAGER": True}, "E024"),
        ({"CELERY_BROKER_URL": "sqs://"}, "E025"),
        ({"CELERY_BROKER_TRANSPORT_OPTIONS": {"visibility_timeout": 60}}, "E026"),
        ({**RABBITMQ, "CELERY_TASK_TIME_LIMIT": 1800, "SPMS_RENDER_TIMEOUT": 1770}, "E027"),
    ],
)
def test_settings_of_celery_that_lose_or_repeat_tasks_are_refused(settings, change, number):
    backend = celery.CeleryBackend("queue", {})
    assert backend.check() == []
    for name, value in change.items():
        setattr(settings, name, value)
    [refused] = backend.check()
    assert refused.id == f"spms.{number}"
    assert "\n" not in refused.msg


def test_a_render_of_28_minutes_goes_with_rabbitmq(settings):
    for name, value in {
        **RABBITMQ,
        "SPMS_RENDER_TIMEOUT": 28 * 60,
        "CELERY_TASK_TIME_LIMIT": 28 * 60 + 30,
    }.items():
        setattr(settings, name, value)
    assert celery.CeleryBackend("queue", {}).check() == []
