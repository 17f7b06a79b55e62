"""How soon a person's render has the slot in which a PDF is being made ahead."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import requests
from django.conf import settings

from bench.queue import Place
from bench.report import Row, milliseconds
from bench.server import running, workers
from documents.infrastructure import slot_queue

SETTINGS = {
    "SPMS_MODE": "auto",
    "SPMS_RENDER_SLOTS": "1",
    "SPMS_PRERENDER_AFTER": "1s",
    "SPMS_PRERENDER_MAX_LOAD": "100",  # the machine is idle but for this
    "SPMS_EXPENSIVE_THROTTLE_RATE": "off",
}
LINE = "<p>The survey covered forty transects of the meadow, more or less.</p>"
LINES, GIVE_UP_SECONDS, LOOK_SECONDS, SEED = 1300, 60.0, 0.001, 21


def giving_way(here: Place, times: int) -> Iterator[Row]:
    """Ask for a PDF, again and again, while another one is being made ahead in the only slot."""
    random, environment = Random(SEED), here.environment | SETTINGS
    with running(here.folder, **environment) as server, workers(here.folder, environment):
        client, documents = server.session(here.token), f"{server.url}/api/v1/documents/"
        slots = here.folder / "run" / settings.HOST_NAME / slot_queue.RENDER_SLOTS
        seconds = [
            _seconds_until_held(
                client, documents, here.plans, slots=slots, number=number, pause_seconds=random.random()
            )
            for number in range(times)
        ]
    yield Row(
        criterion=f"a PDF being made ahead holds the only slot: until the render of a request has it, {times} times",
        goal="≤ 100 ms each",
        measured=f"p50 {milliseconds(median(seconds))}, slowest {milliseconds(max(seconds))}",
        is_met=max(seconds) <= 0.1,
    )


def _seconds_until_held(
    client: requests.Session,
    documents: str,
    plans: list[int],
    *,
    slots: Path,
    number: int,
    pause_seconds: float,
) -> float:
    """Have a long document made ahead, ask for another one a moment later; return how long its ticket waits."""
    text = f"<p>Version {number} of {time.time()}</p>" + LINE * LINES
    changed = client.patch(
        f"{documents}{plans[0]}/", json={"sections": {"background": text}}, timeout=GIVE_UP_SECONDS
    )
    changed.raise_for_status()
    _wait_for_ticket(slots, f"{slot_queue.HOLDING}*")
    time.sleep(pause_seconds)
    ahead = tickets(slots, slot_queue.HOLDING)
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(client.post, f"{documents}{plans[1]}/pdf/?force=true", timeout=GIVE_UP_SECONDS)
        taken = seconds_until_holding(slots, ahead, asked)
        asked.result().raise_for_status()
    return taken


def tickets(slots: Path, state: str) -> set[str]:
    """Return the tickets in a state, each by its name without the state."""
    return {ticket.name.removeprefix(state) for ticket in slots.glob(f"{state}*")}


def seconds_until_holding(slots: Path, ahead: set[str], asked: Future[Any]) -> float:
    """Return how long a render just ``asked`` for waits for its slot; the tickets ``ahead`` held theirs before.

    It is 0 if the slot was free again before the text of the PDF was written.
    """
    waits_since: float | None = None
    while not asked.done():
        # In this order: the ticket goes from waiting to holding, and is seen in one of them.
        is_waiting = tickets(slots, slot_queue.WAITING)
        if tickets(slots, slot_queue.HOLDING) - ahead:
            break
        if is_waiting and waits_since is None:
            waits_since = time.perf_counter()
        time.sleep(LOOK_SECONDS)
    return 0.0 if waits_since is None else time.perf_counter() - waits_since


def _wait_for_ticket(slots: Path, pattern: str) -> Path:
    give_up_at = time.monotonic() + GIVE_UP_SECONDS
    while time.monotonic() < give_up_at:
        if ticket := next(slots.glob(pattern), None):
            return ticket
        time.sleep(LOOK_SECONDS)
    raise SystemExit(f"bench: no render had the ticket {pattern}")
