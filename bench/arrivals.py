"""``python -m bench.arrivals``: requests that arrive when they arrive, however slow the answers are.

Reads an ``OpenLoad`` as JSON; when all its requests have an end, writes ``Seen`` as JSON. Each time is measured from
the moment at which a request was due, so that a request that had to wait for its client counts in full.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

import requests

MAX_CLIENTS = 600
GIVE_UP_SECONDS = 180.0
POLL_INTERVAL_SECONDS = 2.0
LONG_POLL_SECONDS = 20
IN_FLIGHT = frozenset({"queued", "running", "retrying"})


@dataclass(frozen=True, kw_only=True)
class OpenLoad:
    """When PDFs and documents are requested, in seconds since the start, and how a client waits for its PDF.

    ``waiting`` is ``wait`` (long polls, as documented), ``poll`` (every two seconds) or ``events`` (of ``events_url``).
    """

    url: str
    token: str
    documents: list[int]
    pdfs_at: list[float]
    reads_at: list[float]
    waiting: str = "wait"
    events_url: str = ""


@dataclass(kw_only=True)
class Seen:
    """What the clients saw.

    ``pdf_seconds`` until each PDF was in hand, ``read_seconds`` of each document read, both of those that succeeded;
    ``refused`` counts answers 429 and 503 to a POST, after which a client comes back when the answer says; ``faults``
    describes everything else that was not expected.
    ``renders`` has for each PDF in hand: when it was due since the start, what its render took, and until it was in
    hand; all in seconds.
    """

    pdf_seconds: list[float] = field(default_factory=list)
    read_seconds: list[float] = field(default_factory=list)
    inline: int = 0
    refused: int = 0
    faults: list[str] = field(default_factory=list)
    renders: list[tuple[float, float, float]] = field(default_factory=list)


class Clients:
    """Clients that each send one request, wait for its end, and leave."""

    def __init__(self, load: OpenLoad) -> None:
        self._load, self.seen = load, Seen()
        self._begun_at = time.monotonic()

    def run(self) -> Seen:
        """Send every request when it is due, and wait for all their ends."""
        due = sorted(
            [(at, self._pdf, number) for number, at in enumerate(self._load.pdfs_at)]
            + [(at, self._read, number) for number, at in enumerate(self._load.reads_at)],
            key=lambda request: request[0],
        )
        self._begun_at = time.monotonic()
        with ThreadPoolExecutor(MAX_CLIENTS) as threads:
            for at, send, number in due:
                time.sleep(max(0.0, self._begun_at + at - time.monotonic()))
                threads.submit(self._send, send, number, at)
        return self.seen

    def _send(self, send: Any, number: int, at: float) -> None:
        document = self._load.documents[number % len(self._load.documents)]
        with requests.Session() as client:
            client.trust_env = False
            client.headers["Authorization"] = f"Token {self._load.token}"
            try:
                send(client, document, self._begun_at + at)
            except (requests.RequestException, ValueError, KeyError) as error:
                self.seen.faults.append(f"{type(error).__name__}: {error}"[:300])

    def _read(self, client: requests.Session, document: int, due_at: float) -> None:
        answer = client.get(f"{self._load.url}/api/v1/documents/{document}/", timeout=GIVE_UP_SECONDS)
        self._expect(answer, 200)
        self.seen.read_seconds.append(time.monotonic() - due_at)

    def _pdf(self, client: requests.Session, document: int, due_at: float) -> None:
        path = f"{self._load.url}/api/v1/documents/{document}/pdf/?force=true"
        while (answer := client.post(path, timeout=GIVE_UP_SECONDS)).status_code in {429, 503}:
            self.seen.refused += 1
            if time.monotonic() - due_at > GIVE_UP_SECONDS:
                raise ValueError(f"it was still refused after {GIVE_UP_SECONDS:.0f} s")
            time.sleep(float(answer.headers["Retry-After"]))
        self._expect(answer, 200, 201, 202)  # 200: another client has asked for the same PDF, and it is ready
        task = answer.json()
        self.seen.inline += task["mode"] == "inline"
        if task["status"] in IN_FLIGHT:
            task = getattr(self, f"_{self._load.waiting}")(client, answer, due_at)
        if task["status"] != "succeeded":
            raise ValueError(f"task {task['task_id']} is {task['status']}: {task['message']}")
        self._expect(client.get(self._load.url + task["result"]["url"], timeout=GIVE_UP_SECONDS), 200)
        in_hand_seconds = time.monotonic() - due_at
        self.seen.pdf_seconds.append(in_hand_seconds)
        self.seen.renders.append((due_at - self._begun_at, task["result"]["seconds"], in_hand_seconds))

    def _wait(self, client: requests.Session, answer: requests.Response, due_at: float) -> Any:
        """Ask with ``?wait=`` at once, and again when the answer says."""
        return self._ask_again(client, answer, due_at, {"wait": str(LONG_POLL_SECONDS)}, 0.0)

    def _poll(self, client: requests.Session, answer: requests.Response, due_at: float) -> Any:
        """Ask every two seconds."""
        return self._ask_again(client, answer, due_at, {}, POLL_INTERVAL_SECONDS)

    def _ask_again(
        self,
        client: requests.Session,
        answer: requests.Response,
        due_at: float,
        query: dict[str, str],
        interval_seconds: float,
    ) -> Any:
        address = f"{self._load.url}/api/v1/tasks/{answer.json()['task_id']}/"
        wait_seconds = interval_seconds
        while (task := answer.json())["status"] in IN_FLIGHT:
            if time.monotonic() - due_at > GIVE_UP_SECONDS:
                raise ValueError(f"task {task['task_id']} is {task['status']} after {GIVE_UP_SECONDS:.0f} s")
            time.sleep(wait_seconds)
            answer = client.get(address, params=query, timeout=GIVE_UP_SECONDS)
            self._expect(answer, 200)
            wait_seconds = interval_seconds or float(answer.headers.get("Retry-After", 0))
        return task

    def _events(self, client: requests.Session, answer: requests.Response, due_at: float) -> Any:
        """Listen to the stream of the task until it has ended."""
        address = f"{self._load.events_url}/api/v1/tasks/{answer.json()['task_id']}/events/"
        with client.get(address, stream=True, timeout=GIVE_UP_SECONDS) as stream:
            self._expect(stream, 200)
            for line in stream.iter_lines():
                if line.startswith(b"data: {"):
                    task = json.loads(line.removeprefix(b"data: "))
                    if task["status"] not in IN_FLIGHT:
                        return task
        raise ValueError(f"the stream of task {answer.json()['task_id']} ended before it")

    def _expect(self, answer: requests.Response, *statuses: int) -> None:
        if answer.status_code not in statuses:
            raise ValueError(
                f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text[:200]}"
            )


def main() -> None:
    """Read the load, send it, write what was seen."""
    json.dump(asdict(Clients(OpenLoad(**json.load(sys.stdin))).run()), sys.stdout)


if __name__ == "__main__":
    main()
