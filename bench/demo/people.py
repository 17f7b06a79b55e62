"""The people of the demo: what they ask of the API, and what became of each PDF that they asked for."""

import json
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import urllib3

REQUEST_SECONDS = 90.0
MAX_TASK_SECONDS = 600.0
LOGINS = {"maintainer": "sample-maintainer-1", "author": "sample-author-1"}
ENDED = frozenset({"succeeded", "failed", "cancelled"})
LINE = "<p>A paragraph as long as a line of the page, more or less, about the turtles of the reef.</p>"


@dataclass(frozen=True, kw_only=True)
class Pdf:
    """A PDF that was asked for: its task, how the request was answered, and after how many seconds."""

    task_id: str
    status: int
    answered_seconds: float


@dataclass
class Ledger:
    """Everything that was asked for, by all threads: the PDFs, the pages read, and what went wrong."""

    pdfs: list[Pdf] = field(default_factory=list)
    reads: int = 0
    refusals: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Person:
    """A client of the API, signed in with a user name of the sample data."""

    def __init__(self, url: str, username: str, ledger: Ledger) -> None:
        self._url = f"{url}/api/v1"
        self._ledger = ledger
        self._http = urllib3.PoolManager(
            maxsize=32, retries=urllib3.Retry(connect=3, other=0), timeout=REQUEST_SECONDS
        )
        body = {"username": username, "password": LOGINS[username]}
        self._headers = {"Authorization": f"Token {self._call('POST', 'auth/token/', body)[1]['token']}"}

    def read(self, path: str) -> dict[str, Any]:
        """Read a list, a document or a task, and count it."""
        status, answer = self._call("GET", path)
        with self._ledger.lock:
            self._ledger.reads += 1
            if status != 200:
                self._ledger.refusals.append(f"GET {path}: {status}")
        return answer

    def mode(self) -> str:
        """Return the mode in force."""
        return str(self._call("GET", "mode/")[1]["effective"])

    def threshold(self, name: str) -> dict[str, Any]:
        """Return the entry of a limit in the last evaluation; empty before the first one."""
        entries = self._call("GET", "thresholds/")[1]["thresholds"]
        return next((entry for entry in entries if entry["name"] == name), {})

    def edit(self, document_id: int, lines: int) -> None:
        """Change a project plan, to a length in lines."""
        text = f"<p>Version {uuid.uuid4()}.</p>{LINE * lines}"
        status, answer = self._call("PATCH", f"documents/{document_id}/", {"sections": {"background": text}})
        if status != 200:
            raise SystemExit(f"demo: the document could not be changed: {answer}")

    def print_pdf(self, document_id: int) -> Pdf | None:
        """Ask for a PDF, whatever has been made already; None if it was refused, which is noted."""
        begun_at = time.monotonic()
        status, answer = self._call("POST", f"documents/{document_id}/pdf/?force=true")
        seconds = time.monotonic() - begun_at
        with self._ledger.lock:
            if status not in {200, 201, 202}:
                self._ledger.refusals.append(f"{status}: {answer.get('title')}")
                return None
            pdf = Pdf(task_id=answer["task_id"], status=status, answered_seconds=seconds)
            self._ledger.pdfs.append(pdf)
        return pdf

    def wait_for(self, task_id: str) -> dict[str, Any]:
        """Return a task when it has ended, or after MAX_TASK_SECONDS."""
        give_up_at = time.monotonic() + MAX_TASK_SECONDS
        while (task := self._call("GET", f"tasks/{task_id}/?wait=20")[1])["status"] not in ENDED:
            if time.monotonic() > give_up_at:
                break
        return task

    def _call(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
        headers = getattr(self, "_headers", {})
        answer = self._http.request(method, f"{self._url}/{path}", headers=headers, json=body)
        return answer.status, json.loads(answer.data or b"{}")
