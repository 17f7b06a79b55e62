"""The requests that prove_docs.py and prove_compose.py send to a site that was installed as the pages say."""

import os
import secrets
import sys
import time
from typing import Any

import requests

SITE = os.environ.get("SITE", "http://127.0.0.1:8000")
# What `createsuperuser --noinput` reads.
MAINTAINER = {
    "DJANGO_SUPERUSER_USERNAME": "maintainer",
    "DJANGO_SUPERUSER_EMAIL": "maintainer@example.org",
    "DJANGO_SUPERUSER_PASSWORD": "only-for-this-proof-1",
}
BEHIND_NGINX = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1", "Host": "spms.example.org"}
READY_WITHIN_SECONDS = 120


def use() -> None:
    """Wait until the site is ready, then make a PDF inline and one through the queue. Exits with 1 if it cannot."""
    _wait_until_ready()
    person = {
        "username": MAINTAINER["DJANGO_SUPERUSER_USERNAME"],
        "password": MAINTAINER["DJANGO_SUPERUSER_PASSWORD"],
    }
    token = _ask("POST", "auth/token/", 200, json=person).json()["token"]
    headers = {"Authorization": f"Token {token}"}
    fields = {
        "title": "Proof",
        "tag": f"SP-2026-{secrets.randbelow(1000):03}",
        "year": 2026,
        "business_area": 1,
    }
    project = _ask("POST", "projects/", 201, headers=headers, json=fields).json()
    values = {"project": project["id"], "kind": "concept_plan", "year": 2026}
    document = _ask("POST", "documents/", 201, headers=headers, json=values).json()
    address = f"documents/{document['id']}/pdf/?force=true"
    _ask("POST", address, 201, headers=headers)
    queued = _queue(address, headers)
    task = _ask("GET", f"tasks/{queued['task_id']}/?wait=30", 200, headers=headers).json()
    if (task["status"], task["mode"]) != ("succeeded", "queue"):
        sys.exit(f"spms: the task of the queue ended as {task}")


def _wait_until_ready() -> None:
    ends = time.monotonic() + READY_WITHIN_SECONDS
    answer = "no answer"
    while time.monotonic() < ends:
        try:
            response = requests.get(f"{SITE}/healthz/ready", headers=BEHIND_NGINX, timeout=10)
            answer = response.text
            if response.ok and requests.get(f"{SITE}/healthz/live", headers=BEHIND_NGINX, timeout=10).ok:
                return
        except requests.RequestException:
            time.sleep(0.3)
    sys.exit(f"spms: the site is not ready: {answer}")


def _queue(address: str, headers: dict[str, str]) -> dict[str, Any]:
    """Return the task of a PDF that a worker renders; while workers start, the web renders it."""
    ends = time.monotonic() + READY_WITHIN_SECONDS
    while time.monotonic() < ends:
        answer = requests.post(
            f"{SITE}/api/v1/{address}",
            headers=BEHIND_NGINX | headers | {"Prefer": "respond-async"},
            timeout=60,
        )
        if answer.status_code == 202:
            task: dict[str, Any] = answer.json()
            return task
        time.sleep(1)
    sys.exit(f"spms: nothing was queued: {answer.status_code} {answer.text[:500]}")


def _ask(method: str, path: str, expected: int, **options: object) -> requests.Response:
    headers = BEHIND_NGINX | options.pop("headers", {})  # type: ignore[operator]
    answer = requests.request(method, f"{SITE}/api/v1/{path}", headers=headers, timeout=60, **options)  # type: ignore[arg-type]
    if answer.status_code != expected:
        sys.exit(f"spms: {method} {path} answered {answer.status_code}: {answer.text[:500]}")
    return answer
