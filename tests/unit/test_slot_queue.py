"""The queue for render slots: in order, over all processes, and without those that died."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from documents import exceptions
from documents.infrastructure import slot_queue
from documents.infrastructure.slot_queue import Priority, Turn
from tests.waiting import wait_for

HOLDER = """
import sys, time
from pathlib import Path
import django
django.setup()
from documents.infrastructure import slot_queue
folder, count, priority = Path(sys.argv[1]), int(sys.argv[2]), slot_queue.Priority[sys.argv[3]]
with slot_queue.acquire_slot(
    folder, count, turn=slot_queue.Turn(priority=priority), deadline=time.monotonic() + 600, tick=lambda: None
):
    print("holding", flush=True)
    sys.stdin.readline()
"""


@contextlib.contextmanager
def process(folder, count=1, priority="QUEUE"):
    """Run a process that asks for a slot, says so when it has it, and gives it back at its next line of input."""
    command = [sys.executable, "-c", HOLDER, str(folder), str(count), priority]
    running = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


def hold(folder, *, count=1, priority=Priority.QUEUE, requested_at=None, seconds=600.0, tick=lambda: None):
    now = time.monotonic()
    turn = Turn(priority=priority, requested_at=now if requested_at is None else requested_at)
    return slot_queue.acquire_slot(folder, count, turn=turn, deadline=now + seconds, tick=tick)


def wait_until_near(folder, *, count=1, seconds=600.0, tick=lambda: None):
    turn, deadline = Turn(priority=Priority.QUEUE), time.monotonic() + seconds
    slot_queue.wait_until_near(folder, count, turn=turn, deadline=deadline, tick=tick)


@contextlib.contextmanager
def coming(folder, **options):
    """Have a thread wait until it is near, while others are ahead."""
    thread = threading.Thread(target=wait_until_near, args=[folder], kwargs=options)
    thread.start()
    wait_for(lambda: tickets(folder, "coming-"))
    yield
    thread.join()


def tickets(folder, state):
    return sorted(path.name for path in folder.glob(f"{state}*")) if folder.exists() else []


@contextlib.contextmanager
def in_line(folder, order, *requests):
    """Have threads ask one after the other, each as (name, priority, age); each notes its name when it has the slot.

    They ask a millisecond apart, however long it takes.
    """
    begin, threads = time.monotonic(), []

    def ask(number, name, priority, age_seconds=0.0):
        with hold(folder, priority=priority, requested_at=begin + number / 1000 - age_seconds):
            order.append(name)

    for number, request in enumerate(requests, start=1):
        threads.append(threading.Thread(target=ask, args=(number, *request)))
        threads[-1].start()
        wait_for(lambda number=number: len(tickets(folder, "waiting-")) == number)
    yield
    for thread in threads:
        thread.join()


def test_slots_are_given_in_the_order_in_which_they_were_asked_for(tmp_path):
    order: list[object] = []
    requests = [(number, Priority.REQUEST) for number in range(12)]
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(contextlib.ExitStack())
        first.enter_context(hold(tmp_path))
        stack.enter_context(in_line(tmp_path, order, *requests))
        first.close()
    assert order == list(range(12))
    assert tickets(tmp_path, "") == ["lock"]


def test_those_who_wait_in_a_request_go_before_the_queue_and_people_before_background_work(tmp_path):
    order: list[object] = []
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(contextlib.ExitStack())
        first.enter_context(hold(tmp_path))
        requests = [(priority.name, priority) for priority in reversed(Priority)]
        stack.enter_context(in_line(tmp_path, order, *requests))
        first.close()
    assert order == ["REQUEST", "QUEUE", "BACKGROUND"]


@pytest.mark.parametrize(
    ("age_seconds", "expected"),
    [(1, ["request", "queued"]), (3, ["queued", "request"]), (10**9, ["queued", "request"])],
)
def test_a_task_counts_from_its_own_request_and_is_overtaken_for_no_longer_than_its_priority_says(
    tmp_path, age_seconds, expected
):
    order: list[object] = []
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(contextlib.ExitStack())
        first.enter_context(hold(tmp_path))
        requests = ("request", Priority.REQUEST), ("queued", Priority.QUEUE, age_seconds)
        stack.enter_context(in_line(tmp_path, order, *requests))
        first.close()
    assert order == expected


def test_the_slots_are_shared_by_all_processes(tmp_path):
    with process(tmp_path, count=2) as other, hold(tmp_path, count=2):
        assert other.stdout.readline() == "holding\n"
        with pytest.raises(exceptions.RenderBusy), hold(tmp_path, count=2, seconds=0.3):
            pass
        other.communicate("\n")
        with hold(tmp_path, count=2):
            assert len(tickets(tmp_path, "holding-")) == 2


def test_a_process_that_dies_with_a_slot_leaves_it_to_the_next(tmp_path):
    with process(tmp_path) as first, process(tmp_path) as second:
        dying, waiting = first, second
        wait_for(lambda: len(tickets(tmp_path, "waiting-")) == 1 and tickets(tmp_path, "holding-"))
        [holding] = tickets(tmp_path, "holding-")
        if f"-{second.pid}-" in holding:
            dying, waiting = second, first
        os.kill(dying.pid, signal.SIGKILL)
        assert waiting.stdout.readline() == "holding\n"


def test_a_process_that_dies_in_line_holds_nobody_up(tmp_path):
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(contextlib.ExitStack())
        first.enter_context(hold(tmp_path))
        dying = stack.enter_context(process(tmp_path, priority="REQUEST"))
        wait_for(lambda: tickets(tmp_path, "waiting-"))
        order: list[object] = []
        os.kill(dying.pid, signal.SIGKILL)
        dying.wait()
        with in_line_after(tmp_path, order):
            first.close()
    assert order == ["next"]


def test_only_the_living_count(tmp_path):
    assert slot_queue.count_tickets(tmp_path / "none") == 0
    with process(tmp_path, count=2) as dying, hold(tmp_path, count=2):
        assert dying.stdout.readline() == "holding\n"
        assert (slot_queue.count_tickets(tmp_path), slot_queue.count_tickets(tmp_path, of_others=True)) == (
            2,
            1,
        )
        os.kill(dying.pid, signal.SIGKILL)
        dying.wait()
        assert (slot_queue.count_tickets(tmp_path), slot_queue.count_tickets(tmp_path, of_others=True)) == (
            1,
            0,
        )


@contextlib.contextmanager
def in_line_after(folder, order):
    def ask():
        with hold(folder):
            order.append("next")

    thread = threading.Thread(target=ask)
    thread.start()
    yield
    thread.join()


def test_whoever_gives_up_leaves_the_line(tmp_path):
    with hold(tmp_path):
        with pytest.raises(exceptions.RenderBusy), hold(tmp_path, seconds=0.3):
            pass
        with pytest.raises(InterruptedError), hold(tmp_path, tick=raise_interrupted):
            pass
        assert tickets(tmp_path, "waiting-") == []


def raise_interrupted():
    raise InterruptedError


def test_never_more_than_the_slots_work_at_once_and_all_get_their_turn(tmp_path):
    at_work: set[int] = set()
    most: list[int] = []
    done: list[int] = []

    def ask(number):
        for _ in range(10):
            with hold(tmp_path, count=3, priority=list(Priority)[number % 3]):
                at_work.add(number)
                most.append(len(at_work))
                time.sleep(0.001)
                at_work.discard(number)
                done.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 90
    assert max(most) <= 3


def test_a_slot_that_is_given_back_wakes_the_next_without_waiting_for_its_clock(tmp_path, monkeypatch):
    monkeypatch.setattr(slot_queue, "TICK_INTERVAL_SECONDS", 3600)
    order: list[object] = []
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(contextlib.ExitStack())
        first.enter_context(hold(tmp_path))
        stack.enter_context(in_line(tmp_path, order, ("next", Priority.QUEUE)))
        first.close()
    assert order == ["next"]


def test_work_is_near_while_fewer_come_or_wait_ahead_than_there_are_slots(tmp_path):
    order: list[object] = []
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(contextlib.ExitStack())
        first.enter_context(hold(tmp_path))
        wait_until_near(tmp_path)
        stack.enter_context(in_line(tmp_path, order, ("ahead", Priority.QUEUE)))
        wait_until_near(tmp_path, count=2)
        stack.enter_context(coming(tmp_path))
        with pytest.raises(exceptions.RenderBusy):
            wait_until_near(tmp_path, count=2, seconds=0.3)
        assert slot_queue.count_tickets(tmp_path) == 3, "what is near, or has given up, has no ticket"
        first.close()
    assert tickets(tmp_path, "") == ["lock"]


def test_whoever_takes_a_slot_wakes_what_is_near_then(tmp_path, monkeypatch):
    monkeypatch.setattr(slot_queue, "TICK_INTERVAL_SECONDS", 3600)
    order: list[object] = []
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(contextlib.ExitStack())
        first.enter_context(hold(tmp_path))
        stack.enter_context(in_line(tmp_path, order, ("ahead", Priority.QUEUE)))
        stack.enter_context(coming(tmp_path))
        first.close()
    assert order == ["ahead"]


def test_what_comes_holds_up_nobody_who_waits_for_a_slot(tmp_path):
    order: list[object] = []
    may_go_on = threading.Event()
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(contextlib.ExitStack())
        first.enter_context(hold(tmp_path))
        ahead, behind = ("ahead", Priority.QUEUE, 1), ("behind", Priority.QUEUE, -1)
        threads = stack.enter_context(contextlib.ExitStack())
        threads.enter_context(in_line(tmp_path, order, ahead, behind))
        stack.enter_context(coming(tmp_path, tick=may_go_on.wait))
        first.close()
        threads.close()
        may_go_on.set()
    assert order == ["ahead", "behind"]


def test_a_full_disk_is_a_problem_with_its_own_name(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(exceptions.StorageUnavailable), hold(tmp_path / "file"):
        pass
    with pytest.raises(exceptions.StorageUnavailable):
        wait_until_near(tmp_path / "file")
