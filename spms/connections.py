"""Check and complete the addresses of other servers: the database, the broker, the mail server."""

import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from django.core.exceptions import ImproperlyConfigured

HOST_AND_PORT = re.compile(r"(?:\[[0-9a-fA-F:.]+\]|[^:\[\]]*)(?::\d{1,5})?")
REQUIRED = frozenset({"required", "CERT_REQUIRED"})
TLS_SCHEMES = ("rediss", "amqps")


def require_readable(name: str, url: str) -> None:
    """Raise ImproperlyConfigured, quoting nothing, for an address whose password is not percent-encoded."""
    if url.partition(":")[0] in {"sqlite", ""}:
        return
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _unreadable(name) from None
    hosts = parts.netloc.rpartition("@")[2].split(",")
    is_cut = any("@" in part for part in (parts.path, parts.query, parts.fragment)) or parts.fragment
    if is_cut or not all(HOST_AND_PORT.fullmatch(host) for host in hosts):
        raise _unreadable(name)


def _unreadable(name: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(
        f"{name} cannot be read as a URL. Percent-encode the special characters of its password (/ is %2F, # is %23,"
        " ? is %3F, % is %25, @ is %40, : is %3A), and write the port as a number"
    )


def broker(url: str, ca_file: str) -> tuple[str, dict[str, Any] | None]:
    """Return a broker's address and Celery's TLS options, which verify its certificate and name; None without TLS.

    Raises ImproperlyConfigured for options in the address that would turn this off.
    """
    require_readable("SPMS_CELERY_BROKER", url)
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    ca_file = ca_file or options.pop("ssl_ca_certs", "")
    _refuse_unverified(options)
    if ca_file and not Path(ca_file).is_file():
        raise ImproperlyConfigured(f"SPMS_CELERY_CA: {ca_file} is not a file with the certificate of a CA")
    address = urlunsplit(parts._replace(query=""))
    if parts.scheme not in TLS_SCHEMES:
        return address, None
    if parts.scheme == "rediss":
        return address, {
            "ssl_cert_reqs": ssl.CERT_REQUIRED,
            "ssl_check_hostname": True,
            **({"ssl_ca_certs": ca_file} if ca_file else {}),
        }
    # Without server_hostname, the client would not compare the name.
    return address, {
        "cert_reqs": ssl.CERT_REQUIRED,
        "server_hostname": parts.hostname,
        **({"ca_certs": ca_file} if ca_file else {}),
    }


def _refuse_unverified(options: Mapping[str, str]) -> None:
    allowed = {"ssl_cert_reqs": REQUIRED, "ssl_check_hostname": {"true", "True"}}
    for name, value in options.items():
        if value not in allowed.get(name, ()):
            raise ImproperlyConfigured(
                f"SPMS_CELERY_BROKER: remove {name} from the address. The certificate and the name of the broker are"
                " always verified with rediss:// and amqps://; SPMS_CELERY_CA names the file of a CA of your own"
            )
