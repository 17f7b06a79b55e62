"""The ASGI entry, for uvicorn: an optional second server, for the streams of events (docs/events.md)."""

import os
import sys
from pathlib import Path
from typing import Any

import django
from asgiref.sync import ThreadSensitiveContext
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.asgi import ASGIHandler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spms.settings")
try:
    django.setup(set_prefix=False)
except ImproperlyConfigured as error:
    sys.exit(f"spms: {error}")

from django.conf import settings
from django.db import connections

from documents.infrastructure import data_dir_lock


class Handler(ASGIHandler):
    """Django's own, but streams of events share one thread for what is synchronous: they only begin with it.

    Django keeps a thread, and with it a database connection, for each request until its end; a stream may last
    for minutes.
    """

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["path"].endswith("/events/"):
            await self.handle(scope, receive, send)
        elif scope["type"] == "http":
            async with ThreadSensitiveContext():
                await self.handle(scope, receive, send)


# Threads come and go here, so a connection that outlives its request would never be used again.
connections.databases["default"]["CONN_MAX_AGE"] = 0
data_dir_lock.hold_shared_lock(Path(settings.SPMS_DATA_DIR))
application = Handler()
