"""The sample data, made once in a run of the tests and copied for every system that begins with it."""

import contextlib
import copy
import fcntl
import re
import shutil
import subprocess
from pathlib import Path

import boto3

from tests.acceptance.servers import POSTGRES_PROGRAMS

# Of all processes of a run; conftest.py names it. Without one, each system makes its own.
folder: Path | None = None


def give(system):
    """Put database, files and people where a system looks for them; return the maintainer's ``Authorization``."""
    if folder is None:
        return _make(system)
    shared_folder = folder / ("postgresql" if "DATABASE_URL" in system.environment else "sqlite")
    with _alone(shared_folder):
        is_first = not (shared_folder / "token").exists()
        if is_first:
            _begin(system, shared_folder)
    shutil.copytree(shared_folder / "static", system.folder / "static", dirs_exist_ok=True)
    if "SPMS_FILE_STORAGE" in system.environment:
        _upload(system.environment, shared_folder / "media")
    else:
        shutil.copytree(shared_folder / "media", system.folder / "media", dirs_exist_ok=True)
    if "DATABASE_URL" not in system.environment:
        shutil.copy(shared_folder / "spms.sqlite3", system.folder)
    elif not is_first:
        _fill(system.environment["DATABASE_URL"], shared_folder / "dump.sql")
    return (shared_folder / "token").read_text()


def _begin(system, shared_folder):
    """Make the sample data in a folder of its own, and keep the database of the system that is the first."""
    maker, url = copy.copy(system), system.environment.get("DATABASE_URL")
    maker.environment = {"PATH": system.environment["PATH"], "SPMS_DATA_DIR": str(shared_folder)}
    maker.environment |= {"DATABASE_URL": url} if url else {}
    token = _make(maker)
    if url:
        _postgresql("pg_dump", "--no-owner", "--file", shared_folder / "dump.sql", url)
    (shared_folder / "token").write_text(token)


@contextlib.contextmanager
def _alone(shared_folder):
    shared_folder.mkdir(parents=True, exist_ok=True)
    with (shared_folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(system):
    system.manage("migrate", "--verbosity", "0")
    system.manage("collectstatic", "--noinput", "--verbosity", "0")
    printed = system.manage("load_sample_data").stdout
    [token] = re.findall(r"Authorization: (Token \w+)\n", printed)
    return token


def _upload(environment, media):
    """Copy the images into a bucket, as docs/configuration.md says of an installation that moves."""
    bucket, _, prefix = environment["SPMS_FILE_STORAGE"].removeprefix("s3://").partition("/")
    keys = {name.lower(): environment[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    address = environment["SPMS_S3_ENDPOINT"]
    client = boto3.client("s3", endpoint_url=address, region_name="us-east-1", **keys)
    for path in media.rglob("*"):
        if path.is_file():
            key = f"{prefix}/media/{path.relative_to(media)}"
            client.upload_file(str(path), bucket, key)


def _fill(url, dump):
    options = (
        "--quiet",
        "--no-psqlrc",
        "--set=ON_ERROR_STOP=1",
        "--single-transaction",
        "--output=/dev/null",
    )
    _postgresql("psql", *options, "--file", dump, "--command", "ANALYZE", url)


def _postgresql(program, *arguments):
    subprocess.run([POSTGRES_PROGRAMS / program, *arguments], check=True, capture_output=True)
