"""Send a signed message to an allowed address, following the Standard Webhooks specification.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import contextlib
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from documents import exceptions
from documents.tasks.notifications import public_addresses

TIMEOUT_SECONDS = 10.0
# Of a host with many addresses, so that an unreachable host does not hold a worker for long.
MAX_TRIED_ADDRESSES = 2
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
    except (OSError, ValueError, HTTPError) as error:
        raise exceptions.NotificationFailed(f"It could not be reached: {error}"[:250]) from error
    if 200 <= status < 300:
        return status
    is_final = 300 <= status < 500 and status not in RETRY_AFTER_STATUSES
    raise (exceptions.NotificationRefused if is_final else exceptions.NotificationFailed)(
        f"It answered {status}."
    )


def _post(parts: SplitResult, body: str, headers: Mapping[str, str]) -> int:
    """Send the message to the first address of the host that can be reached; return the status."""
    host, port = str(parts.hostname), parts.port or (443 if parts.scheme == "https" else 80)
    addresses = public_addresses.resolve(host, port)[:MAX_TRIED_ADDRESSES]
    for address in addresses[:-1]:
        with contextlib.suppress(ConnectTimeoutError, NewConnectionError):
            return _post_to(address, port, parts, body, headers)
    return _post_to(addresses[-1], port, parts, body, headers)


def _post_to(address: str, port: int, parts: SplitResult, body: str, headers: Mapping[str, str]) -> int:
    """Connect to an address that was resolved before; a certificate must still be the host's."""
    options: dict[str, Any] = {"maxsize": 1, "timeout": TIMEOUT_SECONDS}
    if parts.scheme == "https":
        pool: HTTPConnectionPool = HTTPSConnectionPool(
            address, port, server_hostname=parts.hostname, assert_hostname=parts.hostname, **options
        )
    else:
        pool = HTTPConnectionPool(address, port, **options)
    with contextlib.closing(pool):
        target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        all_headers = {**headers, "Host": parts.netloc}
        response = pool.urlopen(
            "POST", target, body, all_headers, retries=False, redirect=False, preload_content=False
        )
        response.close()  # whose body is of no interest, and may be endless
        return response.status
