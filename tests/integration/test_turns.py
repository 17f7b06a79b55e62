"""A long list of tasks of one person does not delay others, and the positions that are shown are true."""

import pytest
from django.contrib.auth.models import AnonymousUser

from documents.models import Task
from documents.queue import hints, leases, statistics, turns
from documents.queue.registry import TaskOutput
from documents.queue.requests import TaskRequest
from tests import factories
from tests.waiting import ageless
from tests.working import replace_handler

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def finished(monkeypatch):
    """Return the list to which each task that runs adds its fingerprint."""
    ended = []

    def run(attempt):
        ended.append(attempt.task.fingerprint)
        return TaskOutput(fingerprint=attempt.task.fingerprint)

    replace_handler(monkeypatch, run)
    replace_handler(monkeypatch, run, kind="cleanup")
    return ended


def submit(user, name, kind="pdf"):
    return hints.submit_in_background(TaskRequest(kind=kind, fingerprint=name), user=user)[0]


def order():
    names = dict(Task.objects.values_list("pk", "fingerprint"))
    return [names[task_id] for task_id in turns.Line(Task.objects.waiting()).task_ids()]


def test_people_take_turns_and_each_ones_tasks_go_by_age():
    busy, other, third = (factories.user(name) for name in ("busy", "other", "third"))
    for number in range(5):
        submit(busy, f"busy {number}")
    for number in range(2):
        submit(other, f"other {number}")
    submit(third, "third 0")
    assert order() == [
        *("busy 0", "other 0", "third 0"),
        *("busy 1", "other 1"),
        *("busy 2", "busy 3", "busy 4"),
    ]


def test_whoever_has_a_task_running_comes_after_those_who_have_none():
    busy, other = factories.user("busy"), factories.user("other")
    tasks = [submit(busy, f"busy {number}") for number in range(3)]
    submit(other, "other 0")
    assert leases.claim(tasks[0].pk, "w")
    assert order() == ["other 0", "busy 1", "busy 2"]


def test_work_of_the_system_counts_as_one_persons():
    nobody, member = AnonymousUser(), factories.user("member")
    for number in range(3):
        submit(nobody, f"notice {number}")
    submit(member, "member 0")
    assert order() == ["notice 0", "member 0", "notice 1", "notice 2"]


def test_neither_a_person_nor_the_system_waits_for_all_work_of_the_other(finished):
    nobody, member = AnonymousUser(), factories.user("member")
    tasks = [submit(nobody, f"notice {number}") for number in range(5)]
    tasks += [submit(member, f"member {number}") for number in range(2)]
    for task in tasks:
        hints.run_task.call(str(task.pk))
    assert finished[:4] == ["notice 0", "member 0", "notice 1", "member 1"]


def test_low_priority_comes_last_whoever_asks():
    member = factories.user("member")
    submit(member, "night", kind="cleanup")
    submit(AnonymousUser(), "night 2", kind="cleanup")
    for number in range(2):
        submit(member, f"pdf {number}")
    assert order() == ["pdf 0", "pdf 1", "night", "night 2"]


def test_a_worker_takes_the_task_whose_turn_it_is_whatever_task_its_hint_names(finished):
    busy, other = factories.user("busy"), factories.user("other")
    tasks = [submit(busy, f"busy {number}") for number in range(20)]
    tasks.append(submit(other, "other 0"))
    place = statistics.position(tasks[-1])
    assert place is not None
    assert place.position == 2
    for task in tasks:
        hints.run_task.call(str(task.pk))
    assert finished == ["busy 0", "other 0", *(f"busy {number}" for number in range(1, 20))]
    assert not Task.objects.in_flight().exists()


def test_the_positions_shown_are_the_order_of_the_work(finished):
    people = [factories.user(f"person {number}") for number in range(4)]
    for number, person in enumerate(people):
        for turn in range(number + 1):
            submit(person, f"{number}.{turn}")
    places = statistics.positions(Task.objects.waiting())
    shown = sorted(Task.objects.waiting(), key=lambda task: places[task.pk].position)
    for task in reversed(shown):
        hints.run_task.call(str(task.pk))
    assert finished == [task.fingerprint for task in shown]


def test_a_task_that_is_not_due_is_not_taken_before_its_time(finished):
    member = factories.user("member")
    early, late = submit(member, "early"), submit(member, "late")
    assert leases.claim(late.pk, "w")
    Task.objects.filter(pk=late.pk).update(lease_until="2001-01-01T00:00Z")
    hints.run_task.call(str(late.pk))
    hints.run_task.call(str(late.pk))  # none is due, so the hinted one is taken over from its dead worker
    assert finished == ["early", "late"]
    assert early.pk != late.pk


def test_a_task_that_joins_a_line_has_the_position_that_it_would_be_read_with():
    people = [factories.user(name) for name in ("busy", "other", "third")]
    tasks = [submit(people[0], f"busy {number}") for number in range(4)]
    assert leases.claim(tasks[0].pk, "w")
    submit(people[0], "night", kind="cleanup")
    line = turns.Line(Task.objects.waiting())
    new = [(person, f"new {number}", "pdf") for number in range(2) for person in people]
    for person, name, kind in [*new, (people[1], "night 2", "cleanup")]:
        task = submit(person, name, kind)
        assert line.join(task) == turns.Line(Task.objects.waiting()).position_of(task.pk)
    reread = turns.Line(Task.objects.waiting()).task_ids()
    assert [line.position_of(task_id) for task_id in reread] == list(range(1, len(reread) + 1))


def test_the_position_of_a_new_task_is_known_without_reading_the_line_again(django_assert_num_queries):
    member = factories.user("member")
    with ageless(statistics.current_line), ageless(statistics.mean_service_seconds):
        first = submit(member, "first")
        assert statistics.positions([first])[first.pk].position == 1
        second = submit(member, "second")
        with django_assert_num_queries(0):
            assert statistics.positions([second])[second.pk].position == 2
