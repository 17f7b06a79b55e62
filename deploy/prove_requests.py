"""The requests that prove-image.sh sends to a running container, from inside it."""

import json
import sys
import time
import urllib.error
import urllib.request
from typing import Any

SITE = "http://127.0.0.1:8000"


def ask(path: str, *, body: object = None, site: str = SITE, **headers: str) -> tuple[int, bytes]:
    """Return the status and body of an answer; a body makes it a POST."""
    data = None if body is None else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(site + path, data, named | {"Content-Type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def wait_for(path: str, site: str = SITE) -> None:
    """Wait until a server answers with 200. Raises SystemExit after a minute."""
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        try:
            if ask(path, site=site)[0] == 200:
                say(f"{site}{path}: 200")
                return
        except OSError:
            pass
        time.sleep(0.3)
    sys.exit(f"spms: {site}{path} does not answer")


def expect(what: str, actual: object, expected: object) -> None:
    """Print the actual value. Raises SystemExit if it is not the expected one."""
    say(f"{what}: {actual}")
    if actual != expected:
        sys.exit(f"spms: {what}: {actual!r}, but {expected!r} was expected")


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(f"spms: {line}\n")


def main() -> None:
    """Request health checks, a page with its styles, PDFs inline and by the queue, and the metrics."""
    for path in ("/healthz/live", "/healthz/ready"):
        wait_for(path)
    wait_for("/healthz/live", "http://127.0.0.1:8001")
    page = ask("/login/")[1].decode()
    style = page.split('href="/static/', 1)[1].split('"', 1)[0]
    expect(f"the style sheet {style}", ask(f"/static/{style}")[0], 200)
    login = {"username": "author", "password": "sample-author-1"}
    token: Any = json.loads(ask("/api/v1/auth/token/", body=login)[1])["token"]
    mine = {"Authorization": f"Token {token}"}
    document = json.loads(ask("/api/v1/documents/?kind=concept_plan", **mine)[1])["results"][0]["id"]
    pdf = f"/api/v1/documents/{document}/pdf/"
    expect("a PDF inline", ask(f"{pdf}?force=true", body={}, **mine)[0], 201)
    status, answer = ask(f"{pdf}?force=true", body={}, Prefer="respond-async", **mine)
    expect("a PDF by the queue", status, 202)
    task = json.loads(answer)["task_id"]
    ended = json.loads(ask(f"/api/v1/tasks/{task}/?wait=30", **mine)[1])
    expect("the queue's task", (ended["status"], ended["mode"]), ("succeeded", "queue"))
    expect("the file is a PDF", ask(pdf, **mine)[1][:5], b"%PDF-")
    time.sleep(16)  # one interval of the evaluator
    bearer = {"Authorization": "Bearer only-for-this-proof"}
    for site in (SITE, "http://127.0.0.1:8001"):
        counts = ask("/metrics", site=site, **bearer)[1].decode()
        for counted in ('mode="inline"', 'mode="queue"', "spms_evaluations_total", "spms_queue_workers 1.0"):
            expect(f"{site}/metrics has {counted}", counted in counts, expected=True)


main()
