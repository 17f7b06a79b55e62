"""The sample data, made once in a run of the tests and copied for every system that begins with it."""

import contextlib
import fcntl
import re
import shutil
import subprocess
from pathlib import Path

from tests.acceptance.servers import POSTGRES_PROGRAMS

# Of all processes of a run; conftest.py names it. Without one, each system makes its own.
folder: Path | None = None
FILES = ("media", "static")


def give(system):
    """Put database, files and people where a system looks for them; return the maintainer's ``Authorization``."""
    if folder is None or "SPMS_FILE_STORAGE" in system.environment:
        return _make(system)
    kept = folder / ("postgresql" if "DATABASE_URL" in system.environment else "sqlite")
    with _alone(kept):
        if not (kept / "token").exists():
            token = _make(system)
            _keep(system, kept)
            (kept / "token").write_text(token)
            return token
    _copy(system, kept)
    return (kept / "token").read_text()


@contextlib.contextmanager
def _alone(kept):
    kept.mkdir(parents=True, exist_ok=True)
    with (kept / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(system):
    system.manage("migrate", "--verbosity", "0")
    system.manage("collectstatic", "--noinput", "--verbosity", "0")
    printed = system.manage("load_sample_data").stdout
    [token] = re.findall(r"Authorization: (Token \w+)\n", printed)
    return token


def _keep(system, kept):
    for name in FILES:
        shutil.copytree(system.folder / name, kept / name)
    if url := system.environment.get("DATABASE_URL"):
        _postgresql("pg_dump", "--no-owner", "--file", kept / "dump.sql", url)
    else:
        shutil.copy(system.folder / "spms.sqlite3", kept)


def _copy(system, kept):
    for name in FILES:
        shutil.copytree(kept / name, system.folder / name, dirs_exist_ok=True)
    if url := system.environment.get("DATABASE_URL"):
        options = (
            "--quiet",
            "--no-psqlrc",
            "--set=ON_ERROR_STOP=1",
            "--single-transaction",
            "--output=/dev/null",
        )
        _postgresql("psql", *options, "--file", kept / "dump.sql", url)
        _postgresql("psql", *options, "--command", "ANALYZE", url)
    else:
        shutil.copy(kept / "spms.sqlite3", system.folder)


def _postgresql(program, *arguments):
    subprocess.run([POSTGRES_PROGRAMS / program, *arguments], check=True, capture_output=True)
