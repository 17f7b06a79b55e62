"""``python -m bench.crowd``: people who use the site, in a process of their own.

Reads a ``Crowd`` as JSON and, when its time is over and the last of them has what was asked for, writes a ``Report``.
"""

import io
import json
import random
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import requests
from PIL import Image

PATIENCE_SECONDS = 60.0
MAX_WAIT_SECONDS = 300.0
POLL_INTERVAL_SECONDS = 2.0
IN_FLIGHT = frozenset({"queued", "running", "retrying"})
NO_ANSWER = 0
POLL = "poll"


@dataclass(frozen=True, kw_only=True)
class Crowd:
    """Who does what, and for how long.

    ``people`` is what ``bench.data.people`` made; each pauses between two actions for a time between ``think_seconds``.
    ``mix`` gives the weight of each action by its name.
    """

    url: str
    people: list[dict[str, Any]]
    staff_session: str
    seconds: float
    think_seconds: tuple[float, float]
    mix: dict[str, int]
    seed: int = 7


@dataclass(kw_only=True)
class Report:
    """What the crowd saw.

    ``calls`` holds ``(name, seconds since the start, seconds taken, status)``, with status 0 where no answer came.
    ``accepted`` names the tasks that were begun or joined, ``ready_seconds`` is from each POST to the PDF in hand, and
    ``faults`` describes the unexpected answers.
    """

    calls: list[tuple[str, float, float, int]] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    ready_seconds: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class Unexpected(Exception):
    """An unexpected answer; the report shows its text."""


class User:
    """One of the crowd, who does one thing after the other."""

    def __init__(self, crowd: Crowd, number: int, report: Report, begun_at: float) -> None:
        self._crowd, self._report, self._begun_at = crowd, report, begun_at
        self._random = random.Random(f"{crowd.seed}:{number}")
        self._own = crowd.people[number]
        self._client = requests.Session()

    def live(self) -> None:
        """Think and act in turns until the time is over."""
        actions: dict[str, Callable[[], None]] = {name: getattr(self, name) for name in self._crowd.mix}
        weights = list(self._crowd.mix.values())
        time.sleep(self._random.uniform(0, self._crowd.think_seconds[1]))
        while time.monotonic() - self._begun_at < self._crowd.seconds:
            [name] = self._random.choices(list(actions), weights)
            # A connection for each action: the server ends one that is idle while its user reads.
            with requests.Session() as self._client:
                self._client.trust_env = False
                try:
                    actions[name]()
                except Unexpected as fault:
                    self._report.faults.append(f"{name}: {fault}")
            time.sleep(self._random.uniform(*self._crowd.think_seconds))

    def lists(self) -> None:
        """Look through one's documents, or projects."""
        self._api(
            "GET", self._random.choice(["documents/", "projects/", "documents/?kind=concept_plan"]), 200
        )

    def detail(self) -> None:
        """Read a document."""
        self._api("GET", f"documents/{self._plan()}/", 200)

    def page(self) -> None:
        """Open the page of one's documents, then one of them."""
        cookie = {"Cookie": f"sessionid={self._own['session']}"}
        self._call("page", "GET", "/", (200,), headers=cookie)
        self._call("page", "GET", f"/documents/{self._plan()}/", (200,), headers=cookie)

    def dashboard(self) -> None:
        """Look at the live parts of the pages for maintainers."""
        cookie = {"Cookie": f"sessionid={self._crowd.staff_session}"}
        for path in ("/dashboard/live/", "/dashboard/tasks/now/", "/dashboard/tasks/list/"):
            self._call("dashboard", "GET", path, (200, 204), headers=cookie)

    def tasks(self) -> None:
        """Look at one's tasks, and at one of them."""
        tasks = self._api("GET", "tasks/?page_size=10", 200).json()["results"]
        if tasks:
            self._api("GET", f"tasks/{tasks[0]['task_id']}/", 200)

    def change(self) -> int:
        """Rewrite a section of a document; returns its id."""
        plan, text = self._plan(), f"<p>Count every turtle, {self._random.random()} times.</p>"
        self._api("PATCH", f"documents/{plan}/", 200, json={"sections": {"aims": text}})
        return plan

    def pdf(self) -> None:
        """Change a document, make its PDF and fetch it."""
        self._make(f"documents/{self.change()}/pdf/")

    def queued(self) -> None:
        """Do the same, through the queue."""
        self._make(f"documents/{self.change()}/pdf/", headers={"Prefer": "respond-async"})

    def forced(self) -> None:
        """Make a PDF again although nothing has changed."""
        self._make(f"documents/{self._plan()}/pdf/?force=true")

    def unchanged(self) -> None:
        """Ask for a PDF twice: the second time it is there, and known."""
        path = f"documents/{self._plan()}/pdf/"
        self._make(path)
        answer = self._api("GET", path, 200, 404)  # another user may have changed the document
        if answer.status_code == 200:
            condition = {"If-None-Match": answer.headers["ETag"]}
            self._api("GET", path, 200, 304, 404, headers=condition)

    def sign_in(self) -> None:
        """Get a token for name and password."""
        values = {"username": self._own["username"], "password": self._own["password"]}
        self._call("POST auth/token/", "POST", "/api/v1/auth/token/", (200,), json=values)

    def upload(self) -> None:
        """Add a photograph to a document."""
        stream = io.BytesIO()
        Image.effect_noise((1200, 900), 40).convert("RGB").save(stream, "JPEG", quality=80)
        files = {"file": ("site.jpg", stream.getvalue(), "image/jpeg")}
        self._api("POST", f"documents/{self._plan()}/images/", 201, files=files)

    def mistake(self) -> None:
        """Ask for what is not there, may not be seen, or makes no sense."""
        self._api("GET", "documents/999999999/", 404)
        self._api("PATCH", f"documents/{self._plan()}/", 400, json={"sections": {"no_such": "x"}})
        self._api("POST", "projects/", 403, json={})
        self._call("mistake", "GET", "/api/v1/tasks/?status=nonsense", (401,))

    def _plan(self) -> int:
        return int(self._random.choice(self._own["plans"]))

    def _make(self, path: str, **options: Any) -> None:
        """Ask for a PDF, wait for it as the answer says, and fetch it."""
        asked_at = time.monotonic()
        answer = self._api("POST", path, 200, 201, 202, **options)
        task = answer.json()
        self._report.accepted.append(task["task_id"])
        while task["status"] in IN_FLIGHT:
            if time.monotonic() - asked_at > MAX_WAIT_SECONDS:
                raise Unexpected(f"task {task['task_id']} is {task['status']} after {MAX_WAIT_SECONDS:.0f} s")
            time.sleep(
                min(POLL_INTERVAL_SECONDS, float(answer.headers.get("Retry-After", POLL_INTERVAL_SECONDS)))
            )
            answer = self._call(
                POLL, "GET", f"/api/v1/tasks/{task['task_id']}/", (200,), headers=self._token()
            )
            task = answer.json()
        if task["status"] != "succeeded":
            raise Unexpected(f"task {task['task_id']} is {task['status']}: {task['message']}")
        self._call("GET pdf", "GET", task["result"]["url"], (200,), headers=self._token())
        self._report.ready_seconds.append(time.monotonic() - asked_at)

    def _token(self) -> dict[str, str]:
        return {"Authorization": f"Token {self._own['token']}"}

    def _api(self, method: str, path: str, *expected: int, **options: Any) -> requests.Response:
        headers = self._token() | options.pop("headers", {})
        kind = path.partition("?")[0].strip("/").split("/")
        name = f"{method} {'pdf' if kind[-1] == 'pdf' else kind[0]}"
        return self._call(name, method, f"/api/v1/{path}", expected, headers=headers, **options)

    def _call(
        self, name: str, method: str, path: str, expected: tuple[int, ...], **options: Any
    ) -> requests.Response:
        """Call, note what it took, and raise Unexpected unless the status is expected."""
        started = time.monotonic()
        try:
            answer = self._client.request(
                method, self._crowd.url + path, timeout=PATIENCE_SECONDS, allow_redirects=False, **options
            )
        except requests.RequestException as error:
            self._note(name, started, NO_ANSWER)
            raise Unexpected(f"{method} {path}: {type(error).__name__}: {error}"[:300]) from error
        self._note(name, started, answer.status_code)
        if answer.status_code not in expected:
            raise Unexpected(f"{method} {path} answered {answer.status_code}: {answer.text[:200]}")
        return answer

    def _note(self, name: str, started: float, status: int) -> None:
        self._report.calls.append((name, started - self._begun_at, time.monotonic() - started, status))


def gather(crowd: Crowd) -> Report:
    """Let each person of the crowd live in a thread; returns what they saw once all have ended."""
    report, begun_at = Report(), time.monotonic()
    users = [User(crowd, number, report, begun_at) for number in range(len(crowd.people))]
    threads = [threading.Thread(target=user.live, daemon=True) for user in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(crowd.seconds + MAX_WAIT_SECONDS + PATIENCE_SECONDS - (time.monotonic() - begun_at))
    return report


def main() -> None:
    """Read the crowd, let it live, write its report."""
    json.dump(asdict(gather(Crowd(**json.load(sys.stdin)))), sys.stdout)


if __name__ == "__main__":
    main()
