"""Send a signed message to an allowed address, following the Standard Webhooks specification.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
import http.client
import ipaddress
import json
import time
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from documents import exceptions

TIMEOUT_SECONDS = 10.0
RETRY_AFTER_STATUSES = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)


def find_problem(url: str) -> str:
    """Return why an address is not allowed, or an empty text if it is."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "This is not a valid address."
    if not (url.isascii() and url.isprintable()) or " " in url:
        return "This is not a valid address: use visible ASCII characters only."
    if parts.scheme != "https" and not (parts.scheme == "http" and settings.SPMS_WEBHOOK_ALLOW_PRIVATE):
        return "The address must begin with https://."
    if parts.username or parts.password or parts.fragment:
        return "The address must have no user, password or fragment."
    if not host or host not in settings.SPMS_WEBHOOK_HOSTS:
        return "This host is not allowed. The maintainer lists the allowed hosts in SPMS_WEBHOOK_HOSTS."
    return ""


def sign(message_id: str, timestamp: int, body: str) -> str:
    """Return the signature: HMAC-SHA256 of id, time and body with ``SPMS_WEBHOOK_SECRET``."""
    key = base64.b64decode(settings.SPMS_WEBHOOK_SECRET.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{message_id}.{timestamp}.{body}".encode(), hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


def send(url: str, message_id: str, payload: Mapping[str, object]) -> int:
    """Send a message once and return the status of the response, from 200 to 299.

    Raises NotificationRefused if a retry is useless, NotificationFailed otherwise. Redirects are not followed.
    """
    if reason := find_problem(url):
        raise exceptions.NotificationRefused(reason)
    body, timestamp = json.dumps(payload), int(time.time())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "SPMS",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(message_id, timestamp, body),
    }
    try:
        status = _post(urlsplit(url), body, headers)
    except (OSError, http.client.HTTPException) as error:
        raise exceptions.NotificationFailed(f"It could not be reached: {error}"[:250]) from error
    if 200 <= status < 300:
        return status
    is_final = 300 <= status < 500 and status not in RETRY_AFTER_STATUSES
    raise (exceptions.NotificationRefused if is_final else exceptions.NotificationFailed)(
        f"It answered {status}."
    )


def _post(parts: SplitResult, body: str, headers: Mapping[str, str]) -> int:
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(str(parts.hostname), parts.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.connect()
        _require_public(connection.sock.getpeername()[0])
        connection.request(
            "POST", f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}", body, headers
        )
        return connection.getresponse().status
    finally:
        connection.close()


def _require_public(address: str) -> None:
    """Raise NotificationRefused for a private address, once connected: a name may resolve differently each time."""
    if not (ipaddress.ip_address(address).is_global or settings.SPMS_WEBHOOK_ALLOW_PRIVATE):
        raise exceptions.NotificationRefused("The host has a private address.")
