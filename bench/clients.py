"""What every measurement needs: the server, its clients, the documents and their HTML."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from bench.data import Documents
from bench.server import Server
from documents.content import blocks
from documents.rendering import html as rendering_html
from documents.rendering.pool import FONTS_CONF
from documents.tasks.pdf import drafts

FONTS = {"FONTCONFIG_FILE": str(FONTS_CONF)}


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A running server and documents to measure it with, and how long and large the long loads are."""

    server: Server
    documents: Documents
    folder: Path
    is_quick: bool
    soak_seconds: float = 600.0
    users: int = 500
    users_seconds: float = 120.0

    def times(self, usual: int) -> int:
        """Return how often to repeat something that is usually done so often."""
        return max(3, usual // 5) if self.is_quick else usual

    def client(self) -> requests.Session:
        """Return a signed-in client."""
        return self.server.session(self.documents.token)

    def address(self, document: int) -> str:
        """Return the address of a document's PDF."""
        return f"{self.server.url}/api/v1/documents/{document}/pdf/"


def seconds(call: Callable[[], object]) -> float:
    """Return how long a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def render(client: requests.Session, address: str) -> dict[str, Any]:
    """Render a document again and return the facts of its result."""
    answer = client.post(f"{address}?force=true", timeout=600)
    if answer.status_code != 201:
        raise SystemExit(f"bench: {address} answered {answer.status_code}: {answer.text[:300]}")
    facts: dict[str, Any] = answer.json()["result"]
    if facts["warnings"]:
        raise SystemExit(f"bench: {address} is not what was meant: {facts['warnings']}")
    return facts


def render_two_at_once(client: requests.Session, addresses: list[str]) -> float:
    """Return the seconds in which two clients that ask without a pause get all these PDFs inline."""
    begun_at = time.perf_counter()
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda address: render(client, address), addresses))
    return time.perf_counter() - begun_at


def html_file(folder: Path, document: int) -> Path:
    """Write what the server renders as one HTML file: stylesheet inside, images as local files."""
    content = blocks.get_document(document)
    assert content is not None
    path = folder / f"{document}.html"
    draft = drafts.write_html(content, path)
    style = (rendering_html.HERE / "report.css").read_text()
    html = path.read_text().replace("</head>", f"<style>{style}</style>\n</head>", 1)
    assert html.count("<style") == 1, "the stylesheet is in the HTML already"
    for url, name in draft.images.items():
        html = html.replace(url, Path(name).as_uri())
    path.write_text(html)
    return path


@contextlib.contextmanager
def rendering_without_pause(bench: Bench) -> Iterator[list[float]]:
    """Keep four clients rendering; gives the list of the seconds that their renders took so far."""
    stop = threading.Event()
    taken: list[float] = []

    def work(document: int) -> None:
        client = bench.client()
        while not stop.is_set():
            taken.append(seconds(lambda: render(client, bench.address(document))))

    with ThreadPoolExecutor(4) as threads:
        workers = [threads.submit(work, document) for document in bench.documents.medium]
        try:
            time.sleep(2)
            yield taken
        finally:
            stop.set()
        for worker in workers:
            worker.result()  # raises what went wrong there
