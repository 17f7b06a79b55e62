"""Requests that get somewhere, for the chains of test_api_contract.py: what no schema can say is filled in here.

Loaded by schemathesis (SCHEMATHESIS_HOOKS).
"""

import io

import schemathesis
from PIL import Image

_stream = io.BytesIO()
Image.new("RGB", (8, 8), "teal").save(_stream, "PNG")
IMAGE = _stream.getvalue()
# Members of a body that cannot be guessed are left out; what a link brings with it is put in afterwards.
KEPT = {
    "POST /api/v1/documents/": {"kind", "year"},
    "PATCH /api/v1/documents/{id}/": {"status"},
    "POST /api/v1/documents/{id}/pdf/": set(),
    "POST /api/v1/imports/{task_id}/apply/": set(),
    "PATCH /api/v1/projects/{id}/": {"title", "status"},
}

OF_EDITIONS = ("variant", "reports", "division")


@schemathesis.hook
def map_query(context, query):
    """Ask for whole lists, so that there is something to go on with; wait for nothing for long."""
    is_list = "{" not in context.operation.path
    if is_list or not query:
        return {}
    shorter = {"wait": 1} if "wait" in query else {}
    return {name: value for name, value in query.items() if name not in OF_EDITIONS} | shorter


@schemathesis.hook
def map_body(context, body):
    """Send what is accepted."""
    label = context.operation.label
    if label == "POST /api/v1/documents/{id}/images/":
        return {"file": IMAGE}
    if label == "POST /api/v1/imports/":
        return {"file": b"tag,title\n", "what": "projects"}
    if label in KEPT and isinstance(body, dict):
        return {name: value for name, value in body.items() if name in KEPT[label]}
    return body
