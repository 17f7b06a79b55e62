"""Imports as a client asks for them."""

import csv
import io

from django.core.files.uploadedfile import SimpleUploadedFile

URL = "/api/v1/imports/"
HEAD = "tag,kind,year,status,background,aims\n"


def send(client, content, what="documents", name="data.csv", headers=None, **fields):
    content = content if isinstance(content, bytes) else content.encode()
    form = {"file": SimpleUploadedFile(name, content), "what": what, **fields}
    return client.post(URL, form, format="multipart", headers=headers or {})


def apply(client, answer):
    return client.post(f"{URL}{answer.data['task_id']}/apply/")


def report(client, task_id):
    sent = client.get(f"/api/v1/tasks/{task_id}/file/")
    text = b"".join(sent.streaming_content).decode("utf-8-sig")
    return [tuple(row) for row in csv.reader(io.StringIO(text))][1:]


def counts(answer):
    return tuple(answer.data["result"][name] for name in ("new", "changed", "unchanged", "error_count"))
