"""Asks for exports as a client does, and reads what came."""

import io
import zipfile

from documents.models import Cluster
from tests.working import run_entries

URL = "/api/v1/exports/"


def export(client, what="projects", form="csv", status=201, headers=None, **members):
    answer = client.post(URL, {"what": what, "format": form, **members}, headers=headers)
    assert answer.status_code == status, answer.content
    return answer


def content_of(client, task):
    url = task["result"]["url"]
    return b"".join(client.get(url).streaming_content)


def zip_of(client, **wish):
    content = content_of(client, export(client, what="documents", form="zip", **wish).data)
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.testzip() is None
    return archive


def later(client, **wish):
    """Begin an export in the queue, where it waits for what happens before ``made_now``."""
    Cluster.objects.get_or_create(name="host:1:a", workers=1)
    return export(client, status=202, headers={"Prefer": "respond-async"}, **wish).data["task_id"]


def made_now(client, task_id):
    run_entries()
    return client.get(f"/api/v1/tasks/{task_id}/").data
