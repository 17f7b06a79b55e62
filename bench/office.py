"""``python -m bench.office``: authors who change documents, leave them alone, and then ask for their PDFs.

Reads an ``OfficeLoad`` as JSON; writes ``OfficeSeen`` as JSON when the last author has a PDF.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field

import requests

GIVE_UP_SECONDS = 180.0
IN_FLIGHT = frozenset({"queued", "running", "retrying"})
TEXT = (
    "<p>The survey of {at} covered forty transects of the meadow, and the cover rose by 12 ± 3 per cent.</p>"
)


@dataclass(frozen=True, kw_only=True)
class Author:
    """One document, and when it is changed and then asked for; in seconds since the start."""

    document: int
    edits_at: list[float]
    press_at: float


@dataclass(frozen=True, kw_only=True)
class OfficeLoad:
    """The authors, and when documents are read besides."""

    url: str
    token: str
    authors: list[Author]
    reads_at: list[float]


@dataclass(kw_only=True)
class OfficeSeen:
    """What the authors saw: the seconds until each PDF was ready, by whether it was there; and those of each read."""

    ready_seconds: list[float] = field(default_factory=list)
    other_seconds: list[float] = field(default_factory=list)
    read_seconds: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class Office:
    """Sends each request when it is due, however slow the answers are."""

    def __init__(self, load: OfficeLoad) -> None:
        self._load, self.seen, self._begun_at = load, OfficeSeen(), time.monotonic()

    def run(self) -> OfficeSeen:
        """Work through the day."""
        reads = [
            (at, self._load.authors[number % len(self._load.authors)])
            for number, at in enumerate(self._load.reads_at)
        ]
        self._begun_at = time.monotonic()
        with ThreadPoolExecutor(len(self._load.authors) + 1) as threads:
            work = [threads.submit(self._write, author) for author in self._load.authors]
            work.append(threads.submit(self._browse, reads))
        for ended in work:
            if error := ended.exception():
                self.seen.faults.append(f"{type(error).__name__}: {error}"[:300])
        return self.seen

    def _write(self, author: Author) -> None:
        address = f"{self._load.url}/api/v1/documents/{author.document}/"
        with self._client() as client:
            for at in author.edits_at:
                self._wait_until(at)
                sections = {"background": TEXT.format(at=f"{at:.3f}") * 6}
                client.patch(address, json={"sections": sections}, timeout=GIVE_UP_SECONDS).raise_for_status()
            self._wait_until(author.press_at)
            self._press(client, f"{address}pdf/")

    def _press(self, client: requests.Session, address: str) -> None:
        begun_at = time.perf_counter()
        answer = client.post(address, timeout=GIVE_UP_SECONDS)
        answer.raise_for_status()
        task = answer.json()
        while task["status"] in IN_FLIGHT:
            url = f"{self._load.url}/api/v1/tasks/{task['task_id']}/"
            task = client.get(url, params={"wait": 20}, timeout=GIVE_UP_SECONDS).json()
        taken = time.perf_counter() - begun_at
        if task["status"] != "succeeded":
            raise ValueError(f"task {task['task_id']} is {task['status']}: {task['message']}")
        (self.seen.ready_seconds if answer.status_code == 200 else self.seen.other_seconds).append(taken)

    def _browse(self, reads: list[tuple[float, Author]]) -> None:
        with self._client() as client:
            for at, author in reads:
                self._wait_until(at)
                begun_at = time.perf_counter()
                url = f"{self._load.url}/api/v1/documents/{author.document}/"
                client.get(url, timeout=GIVE_UP_SECONDS).raise_for_status()
                self.seen.read_seconds.append(time.perf_counter() - begun_at)

    def _client(self) -> requests.Session:
        client = requests.Session()
        client.trust_env = False
        client.headers["Authorization"] = f"Token {self._load.token}"
        return client

    def _wait_until(self, at: float) -> None:
        time.sleep(max(0.0, self._begun_at + at - time.monotonic()))


def main() -> None:
    """Read the load, work, write what was seen."""
    values = json.load(sys.stdin)
    values["authors"] = [Author(**author) for author in values["authors"]]
    json.dump(asdict(Office(OfficeLoad(**values)).run()), sys.stdout)


if __name__ == "__main__":
    main()
