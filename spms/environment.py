"""Read settings from the environment; a wrong value is a one-line error at start."""

import contextlib
import importlib.util
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import environ
from django.core.checks.security.base import (
    SECRET_KEY_INSECURE_PREFIX,
    SECRET_KEY_MIN_LENGTH,
    SECRET_KEY_MIN_UNIQUE_CHARACTERS,
)
from django.core.exceptions import ImproperlyConfigured

from metrics import durations
from spms import connections

BASE_DIR = Path(__file__).resolve().parent.parent
# How long a mail server may be silent: less than a task's lease, so that no other worker takes the task over.
MAIL_TIMEOUT_SECONDS = 20
# A PostgreSQL that is unreachable, and to PostgreSQL a client that is, are noticed within 15 s; by default it takes 15
# minutes and two hours.
TCP_USER_TIMEOUT_MILLISECONDS = 15_000
KEEPALIVES = {"keepalives_idle": 5, "keepalives_interval": 5, "keepalives_count": 2}
# All that is in the data folder except the static files.
PRIVATE_FOLDERS = ("backups", "media", "metrics", "results", "run", "work")
env = environ.Env()
if (BASE_DIR / ".env").is_file():
    env.read_env(BASE_DIR / ".env")


RENAMED = {
    "SPMS_WEB_WORKERS": "SPMS_WEB_THREADS",
    "SPMS_QUEUE": "SPMS_QUEUE_BACKEND",
    "SPMS_RENDER_RECYCLE": "SPMS_RENDERS_PER_CHILD",
    "SPMS_RENDER_MEMORY": "SPMS_RENDER_MEMORY_LIMIT",
    "SPMS_RETRIES": "SPMS_MAX_RETRIES",
    "SPMS_KEEP_TASKS": "SPMS_TASK_RETENTION",
    "SPMS_STOP_GRACE": "SPMS_SHUTDOWN_GRACE",
    "SPMS_PROXIES": "SPMS_TRUSTED_PROXIES",
    "SPMS_API_RATE": "SPMS_API_THROTTLE_RATE",
    "SPMS_FILES": "SPMS_FILE_STORAGE",
}


REMOVED = {
    "SPMS_PDF_VARIANT": "Every PDF is PDF/UA-1 and PDF/A-3a; ?variant=pdf/a-3a also attaches its source.",
}


def refuse_removed() -> None:
    """Raise ImproperlyConfigured for a setting that exists no more, which would have no effect."""
    for name, reason in REMOVED.items():
        if name in os.environ:
            raise ImproperlyConfigured(f"{name} exists no more. {reason} Remove it.")


def refuse_renamed() -> None:
    """Raise ImproperlyConfigured for a setting with its old name, which would have no effect."""
    for old, new in RENAMED.items():
        if old in os.environ:
            raise ImproperlyConfigured(f"{old} is called {new} now. Rename it.")


def refuse_unsafe(secret_key: str, *, is_debug: bool, fallbacks: Sequence[str] = ()) -> None:
    """Raise ImproperlyConfigured for settings that give a production system away."""
    if is_debug:
        raise ImproperlyConfigured("DEBUG=true is not for production (SPMS_HTTPS=true). Remove DEBUG.")
    for name, key in (("SECRET_KEY", secret_key), *(("SECRET_KEY_FALLBACKS", key) for key in fallbacks)):
        is_short = len(key) < SECRET_KEY_MIN_LENGTH
        is_monotonous = len(set(key)) < SECRET_KEY_MIN_UNIQUE_CHARACTERS
        if is_short or is_monotonous or key.startswith(SECRET_KEY_INSECURE_PREFIX):
            _refuse_key(name)


def _refuse_key(name: str) -> None:
    raise ImproperlyConfigured(
        f"{name} can be guessed: production (SPMS_HTTPS=true) needs {SECRET_KEY_MIN_LENGTH} or more random"
        " characters, such as those of: openssl rand -hex 40"
    )


# django-environ's casts do not name the variable in their errors, and its bool reads any word as False.


def usable_cores() -> int:
    """Return the number of cores that this process may use: fewer than the machine has within a cpuset."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def positive(name: str, default: int) -> int:
    """Return a whole number above zero. Raises ImproperlyConfigured."""
    return _integer(name, default, minimum=1, expected="a whole number above zero")


def whole(name: str, *, default: int) -> int:
    """Return a whole number, zero included. Raises ImproperlyConfigured."""
    return _integer(name, default, minimum=0, expected="a whole number")


def _integer(name: str, default: int, *, minimum: int, expected: str) -> int:
    text = env.str(name, default=str(default))
    if not re.fullmatch(r"[0-9]{1,18}", text) or int(text) < minimum:
        raise ImproperlyConfigured(f"{name}={text!r}: expected {expected}")
    return int(text)


def duration_seconds(name: str, default: str) -> float:
    """Return a duration such as ``30s`` or ``2m`` in seconds. Raises ImproperlyConfigured."""
    return durations.parse_seconds(name, env.str(name, default=default))


def duration_seconds_or_off(name: str, default: str) -> float | None:
    """Return a duration in seconds, or None for ``off``. Raises ImproperlyConfigured."""
    text: str = env.str(name, default=default)
    return None if text == "off" else durations.parse_seconds(name, text)


def percent(name: str, default: int) -> int:
    """Return a percentage from 1 to 100. Raises ImproperlyConfigured."""
    number = _integer(name, default, minimum=1, expected="a percentage from 1 to 100")
    if number > 100:
        raise ImproperlyConfigured(f"{name}={number}: expected a percentage from 1 to 100")
    return number


def size_bytes(name: str, default: str) -> int:
    """Return a size such as ``1500M`` in bytes. Raises ImproperlyConfigured."""
    return durations.parse_bytes(name, env.str(name, default=default))


def rate(name: str, default: str) -> str | None:
    """Return a rate in the notation of DRF, such as 3000/m; None for no limit. Raises ImproperlyConfigured."""
    text: str = env.str(name, default=default)
    if text != "off" and not re.fullmatch(r"[1-9]\d*/[smhd]", text, re.ASCII):
        raise ImproperlyConfigured(
            f"{name}={text!r}: expected a rate such as 3000/m (per s, m, h or d), or off"
        )
    return None if text == "off" else text


def flag(name: str, *, default: bool) -> bool:
    """Return True for a setting that is on. Raises ImproperlyConfigured."""
    text = env.str(name, default=str(default)).lower()
    if text not in {"true", "false", "1", "0", "yes", "no", "on", "off"}:
        raise ImproperlyConfigured(f"{name}={text!r}: expected true or false")
    return text in {"true", "1", "yes", "on"}


def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
    """Return a setting that must be one of the allowed words. Raises ImproperlyConfigured."""
    text: str = env.str(name, default=default)
    if text not in allowed:
        raise ImproperlyConfigured(f"{name}={text!r}: expected one of {', '.join(allowed)}")
    return text


def secret_key(folder: Path) -> str:
    """Return this installation's key, which is created at its first start."""
    path = folder / "secret_key"
    if not path.exists():
        # Linked when it is complete: two processes that start at the same moment must agree on one key.
        with tempfile.NamedTemporaryFile("w", dir=folder) as stream, contextlib.suppress(FileExistsError):
            stream.write(secrets.token_urlsafe(50))
            stream.flush()
            path.hardlink_to(stream.name)
    return path.read_text()


def data_folder() -> Path:
    """Return the folder of everything that is not code; creates it if necessary."""
    folder = BASE_DIR.joinpath(env.str("SPMS_DATA_DIR", default="var")).resolve()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        _close_to_others(*(folder / name for name in PRIVATE_FOLDERS))
    except OSError as error:
        raise ImproperlyConfigured(
            f"SPMS_DATA_DIR={str(folder)!r} cannot be written ({error.strerror}); name a folder that can be"
        ) from error
    return folder


def _close_to_others(*paths: Path) -> None:
    """Take the rights of other users from what an earlier version created with them."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError, PermissionError):  # it may belong to another user
            mode = path.stat().st_mode
            if mode & 0o007:
                path.chmod(stat.S_IMODE(mode) & ~0o007)


def database(folder: Path) -> dict[str, Any]:
    """Return the database of ``DATABASE_URL``; by default an SQLite file in the data folder."""
    settings = _database("DATABASE_URL", f"sqlite:///{folder / 'spms.sqlite3'}")
    # One cheap query before a connection is reused, which may have died with its server.
    settings |= {"CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True}
    if settings["ENGINE"].endswith("sqlite3"):
        settings["NAME"] = str(BASE_DIR / settings["NAME"])
        _close_to_others(*(Path(f"{settings['NAME']}{suffix}") for suffix in ("", "-wal", "-shm")))
        # Each thread has a connection with half a megabyte of cache; the operating system caches the file anyway.
        # Readers are not blocked by a writer; a writer waits for the lock when its transaction begins.
        settings["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-512;",
        }
    return settings


def listen_database() -> dict[str, Any]:
    """Return the database of ``SPMS_LISTEN_DATABASE_URL``; empty if connections are direct anyway."""
    if not env.str("SPMS_LISTEN_DATABASE_URL", default=""):
        return {}
    settings = _database("SPMS_LISTEN_DATABASE_URL", "")
    if not settings["ENGINE"].endswith("postgresql"):
        raise ImproperlyConfigured("SPMS_LISTEN_DATABASE_URL: expected postgres://…, without a pooler")
    return settings


def _database(name: str, default: str) -> dict[str, Any]:
    connections.require_readable(name, env.str(name, default=default))
    settings: dict[str, Any] = env.db(name, default=default)
    if settings["ENGINE"].endswith("postgresql"):
        timeouts = {"connect_timeout": 5, "tcp_user_timeout": TCP_USER_TIMEOUT_MILLISECONDS}
        settings["OPTIONS"] = timeouts | KEEPALIVES | settings.get("OPTIONS", {})
    return settings


def files(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the storages of images and of results: in the data folder, or in a bucket."""
    folders = {"default": "media", "results": "results"}
    text = env.str("SPMS_FILE_STORAGE", default="local")
    bucket = _bucket(text)
    if bucket is None:
        backend = "django.core.files.storage.FileSystemStorage"
        return {
            alias: {"BACKEND": backend, "OPTIONS": {"location": folder / name}}
            for alias, name in folders.items()
        }
    backend, options = _azure(bucket[2]) if bucket[1] == "azure" else _s3(bucket[2])
    prefix = (bucket[3] or "").rstrip("/")
    return {
        alias: {
            "BACKEND": backend,
            "OPTIONS": options | {"location": "/".join(filter(None, (prefix, name)))},
        }
        for alias, name in folders.items()
    }


def _bucket(text: str) -> re.Match[str] | None:
    """Return the match of an address with its scheme, bucket and prefix; None for the data folder."""
    if text == "local":
        return None
    match = re.fullmatch(
        r"(s3|azure)://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/((?:[\w-][\w.-]*/?)*))?", text, re.ASCII
    )
    if match is None:
        raise ImproperlyConfigured(
            f"SPMS_FILE_STORAGE={text!r}: expected local, or s3://bucket/prefix, or azure://container/prefix"
        )
    return match


def _azure(container: str) -> tuple[str, dict[str, Any]]:
    """Return the backend and the options of a container of Azure Blob Storage."""
    if importlib.util.find_spec("azure") is None:
        raise ImproperlyConfigured(
            "SPMS_FILE_STORAGE=azure://… needs the packages of requirements/azure.txt; install them"
        )
    connection = env.str("AZURE_STORAGE_CONNECTION_STRING", default="")
    if not connection:
        raise ImproperlyConfigured(
            "AZURE_STORAGE_CONNECTION_STRING is missing: copy it from the access keys of the storage account"
        )
    options = {"azure_container": container, "connection_string": connection}
    return "documents.infrastructure.azure.ContainerStorage", options


def _s3(bucket: str) -> tuple[str, dict[str, Any]]:
    """Return the backend and the options of a bucket."""
    return "documents.infrastructure.s3.BucketStorage", {"bucket_name": bucket, **_bucket_options()}


def _bucket_options() -> dict[str, Any]:
    endpoint = env.str("SPMS_S3_ENDPOINT", default="")
    if endpoint and not re.fullmatch(r"https?://[^/?#]+/?", endpoint):
        raise ImproperlyConfigured(
            f"SPMS_S3_ENDPOINT={endpoint!r}: expected an address such as https://s3.example.org"
        )
    encryption = choice("SPMS_S3_ENCRYPTION", "", ("", "AES256", "aws:kms"))
    return {
        "endpoint_url": endpoint or None,
        "region_name": env.str("SPMS_S3_REGION", default="") or None,
        "object_parameters": {"ServerSideEncryption": encryption} if encryption else {},
    }


def mail_options(mail: dict[str, Any]) -> dict[str, Any]:
    """Return the options of the SMTP backend from the URL of a mail server; none for the console."""
    if not mail["EMAIL_BACKEND"].endswith("smtp.EmailBackend"):
        return {}
    names = {"EMAIL_HOST": "host", "EMAIL_PORT": "port", "EMAIL_HOST_USER": "username"}
    names |= {"EMAIL_HOST_PASSWORD": "password", "EMAIL_USE_TLS": "use_tls", "EMAIL_USE_SSL": "use_ssl"}
    options = {option: mail[name] for name, option in names.items() if mail.get(name)}
    return options | {"timeout": MAIL_TIMEOUT_SECONDS}
