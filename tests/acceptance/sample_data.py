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
    shared_folder = folder / "sqlite"
    with _alone(shared_folder):
        if not (shared_folder / "token").exists():
            _begin(system, shared_folder)
    shutil.copytree(shared_folder / "static", system.folder / "static", dirs_exist_ok=True)
    if "SPMS_FILE_STORAGE" in system.environment:
        _upload(system.environment, shared_folder / "media")
    else:
        shutil.copytree(shared_folder / "media", system.folder / "media", dirs_exist_ok=True)
    if "DATABASE_URL" not in system.environment:
        shutil.copy(shared_folder / "spms.sqlite3", system.folder)
    else:
        _fill(system, shared_folder)
    return (shared_folder / "token").read_text()


def _begin(system, shared_folder):
    """Make the sample data in a folder of its own."""
    token = _make(_at(system, shared_folder))
    (shared_folder / "token").write_text(token)


def _at(system, data_folder, **settings):
    """Return the system as one that keeps its data elsewhere."""
    other = copy.copy(system)
    other.environment = {"PATH": system.environment["PATH"], "SPMS_DATA_DIR": str(data_folder), **settings}
    return other


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


def _fill(system, shared_folder):
    """Fill a PostgreSQL: the first with the rows of the SQLite, the others with a dump of that."""
    url, dump = system.environment["DATABASE_URL"], shared_folder / "dump.sql"
    with _alone(shared_folder):
        if not dump.exists():
            _move(_at(system, shared_folder), url)
            _postgresql("pg_dump", "--no-owner", "--file", dump, url)
            return
    options = (
        "--quiet",
        "--no-psqlrc",
        "--set=ON_ERROR_STOP=1",
        "--single-transaction",
        "--output=/dev/null",
    )
    _postgresql("psql", *options, "--file", dump, "--command", "ANALYZE", url)


def _move(maker, url):
    """Copy the rows of a SQLite, but for those that migrations make, into an empty PostgreSQL."""
    rows = Path(maker.environment["SPMS_DATA_DIR"]) / "rows.json"
    made_by_migrations = ("--exclude=contenttypes", "--exclude=auth.permission")
    maker.manage("dumpdata", *made_by_migrations, f"--output={rows}", "--verbosity=0")
    maker.environment |= {"DATABASE_URL": url}
    maker.manage("migrate", "--verbosity", "0")
    maker.manage("loaddata", str(rows), "--verbosity=0")


def _postgresql(program, *arguments):
    subprocess.run([POSTGRES_PROGRAMS / program, *arguments], check=True, capture_output=True)
