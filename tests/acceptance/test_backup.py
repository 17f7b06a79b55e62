"""A backup is made while the system works and restored in another place, on SQLite and on PostgreSQL."""

import contextlib
import hashlib
import io
import json
import os
import tarfile
import threading

import pytest

from tests.acceptance import warm
from tests.acceptance.bucket import Server
from tests.acceptance.servers import POSTGRES_PROGRAMS
from tests.acceptance.system import MANAGE, System
from tests.waiting import wait_for

PATH = f"{POSTGRES_PROGRAMS}{os.pathsep}{os.environ['PATH']}"
SQLITE = pytest.param("sqlite", marks=pytest.mark.xdist_group("backup-sqlite"))
POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.xdist_group("backup-postgresql"))
ON_SQLITE = pytest.mark.parametrize("place", [SQLITE], indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("place", [POSTGRESQL], indirect=True)


# One PDF that waits for a request, and one that a worker has not begun yet.
MAKE_AHEAD = """
import time
from django.contrib.auth.models import AnonymousUser
from documents.models import Document, Prerender
from documents.queue import hints, lifecycle
from documents.tasks.pdf import task as pdf_task
for document in Document.objects.filter(kind="project_plan").order_by("pk")[:2]:
    request = pdf_task.request_for(document)
    task, _ = hints.submit_in_background(request, user=AnonymousUser(), rule="prerender")
    Prerender.objects.create(document=document, version=document.version, task=task)
    print(document.pk)
lifecycle.run(Prerender.objects.earliest("pk").task_id, deadline=time.monotonic() + 100, worker="test")
"""


@pytest.fixture(scope="module", params=[SQLITE, POSTGRESQL])
def place(request, tmp_path_factory):
    """A maker of new, empty places for a system."""

    def make(**settings):
        url = request.getfixturevalue("postgres").new_database() if request.param == "postgresql" else None
        folder = tmp_path_factory.mktemp("place")
        return System(folder, url, PATH=PATH, **{"SPMS_MODE": "inline", **settings})

    return make


@pytest.fixture(scope="module")
def system(place):
    source = place(SPMS_PRERENDER_MAX_LOAD="100")
    source.prepare()
    source.made_ahead = ask(source, MAKE_AHEAD).split()
    source.start_web()
    yield source
    source.stop()


@pytest.fixture(scope="module")
def archive(system):
    """A backup of a system that is at work: its path."""
    done = threading.Event()
    worker = threading.Thread(target=make_until, args=(system, done))
    worker.start()
    try:
        wait_for(lambda: list(system.folder.glob("results/**/*.pdf")))
        said = system.manage("backup").stdout
    finally:
        done.set()
        worker.join()
    [path] = (system.folder / "backups").iterdir()
    assert said.startswith(f"{path}: ")
    assert "The secret key is not in it" in said
    return path


@pytest.fixture
def target(place):
    empty_system = place()
    yield empty_system
    empty_system.stop()


def make_until(system, done):
    plans = system.documents(kind="concept_plan")
    while not done.is_set():
        for plan in plans[:3]:
            assert system.make(plan).status_code == 201


def run(system, *command):
    return warm.run(command, system.environment)


def refused(system, *command):
    """Run a command that must fail, and return its one line."""
    ended = run(system, *command)
    assert ended.returncode == 1, ended.stdout
    [line] = ended.stderr.strip().splitlines()
    return line


def members_of(path):
    with tarfile.open(path) as tar:
        return {member.name: content.read() for member in tar if (content := tar.extractfile(member))}


def ask(system, script):
    return system.manage("shell", "-v", "0", "-c", script).stdout


def counts(system):
    script = """
from documents.operations.backup import create, database
from documents.models import Task
print(*(model.objects.count() for name, model in create.COUNTED.items()))
"""
    return ask(system, script)


def test_a_backup_is_private_and_proves_itself(archive):
    assert archive.stat().st_mode & 0o777 == 0o600
    assert not list(archive.parent.glob(".*"))
    members = members_of(archive)
    manifest = json.loads(members.pop("manifest.json"))
    assert {name: hashlib.sha256(data).hexdigest() for name, data in members.items()} == manifest["sha256"]
    assert "secret_key" not in members
    assert (manifest["files"], manifest["gone"]) == ("archive", 0)
    assert "documents.0001_initial" in manifest["migrations"]
    assert manifest["counts"]["documents"] > 5


def test_restored_in_a_new_place_every_pdf_is_there_and_work_goes_on(system, archive, target):
    said = target.manage("restore", str(archive)).stdout
    assert "Restored the system of " in said
    target.session.headers.update(system.session.headers)  # tokens are in the database
    target.start_web()
    tasks = target.call("GET", "tasks/", params={"status": "succeeded", "page_size": 100}).json()["results"]
    assert tasks
    for task in tasks:
        sent = target.session.get(target.address + task["result"]["url"])
        assert (sent.status_code, len(sent.content)) == (200, task["result"]["bytes"])
        assert sent.headers["ETag"].strip('"') == hashlib.sha256(sent.content).hexdigest()
    ready, waiting = [target.call("POST", f"documents/{plan}/pdf/") for plan in system.made_ahead]
    assert (ready.status_code, waiting.status_code) == (200, 201)  # found, and adopted
    target.lapse()
    [plan] = target.documents(kind="concept_plan")[:1]
    assert target.make(plan).status_code in {200, 201}  # 200: one that was being made at that moment
    project = {"project": plan["project"], "kind": "project_closure", "year": 2031, "sections": {}}
    assert target.call("POST", "documents/", json=project).status_code == 201  # its id is counted on
    assert target.call("POST", f"documents/{plan['id']}/pdf/").status_code == 200


def test_a_system_that_has_something_is_only_replaced_on_request(archive, place):
    there = place()
    there.prepare()
    before = counts(there)
    assert "Repeat with --replace" in refused(there, "restore", str(archive))
    assert counts(there) == before
    there.manage("restore", str(archive), "--replace")
    manifest = json.loads(members_of(archive)["manifest.json"])
    assert counts(there).split() == [str(count) for count in manifest["counts"].values()]


def test_a_system_that_runs_is_not_restored(system, archive, target):
    assert "Stop it first" in refused(system, "restore", str(archive), "--replace")
    target.manage("migrate", "-v", "0")
    target.start_workers(supervised=False)
    beats = "from documents.models import Cluster; print(Cluster.objects.live().count())"
    wait_for(lambda: ask(target, beats).strip() == "1")
    assert "Stop it first" in refused(target, "restore", str(archive))
    away = target.environment | {"SPMS_DATA_DIR": str(target.folder / "elsewhere")}
    if "DATABASE_URL" in away:  # another host of the same installation
        ended = warm.run(["restore", str(archive)], away)
        assert "A cluster of workers is running" in ended.stderr


@ON_POSTGRESQL
def test_whoever_else_uses_the_database_is_noticed(archive, target):
    target.manage("migrate", "-v", "0")
    target.start(*MANAGE, "evaluate_thresholds", "--every", "1s")
    sessions = "from documents.operations.backup import database; print(database.other_sessions())"
    wait_for(lambda: ask(target, sessions).strip() == "1")
    assert "1 other connection." in refused(target, "restore", str(archive))
    target.manage("restore", str(archive), "--force")


def rewritten(path, target, change):
    """Write an archive again, as ``change`` makes its members, with a manifest that fits."""
    members = members_of(path)
    manifest = json.loads(members.pop("manifest.json"))
    entries = [(tarfile.TarInfo(name), data) for name, data in members.items()]
    entries = change(entries, manifest) or entries
    manifest["sha256"] = {info.name: hashlib.sha256(data).hexdigest() for info, data in entries}
    text = json.dumps(manifest).encode()
    with tarfile.open(target, "w:") as tar:
        for info, data in [*entries, (tarfile.TarInfo("manifest.json"), text)]:
            info.size = len(data) if info.isreg() else 0
            tar.addfile(info, io.BytesIO(data))
    return target


def with_member(name, **values):
    def change(entries, manifest):
        info = tarfile.TarInfo(name)
        for key, value in values.items():
            setattr(info, key, value)
        entries.append((info, b"hostile" if info.isreg() else b""))

    return change


HOSTILE = {
    "a path upwards": with_member("media/../../../evil"),
    "an absolute path": with_member("/tmp/hS-evil"),
    "a name of its own": with_member("evil"),
    "a name with a backslash": with_member("media/..\\evil"),
    "a link": with_member("media/link", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    "a hard link": with_member("media/link", type=tarfile.LNKTYPE, linkname="database.sqlite3"),
    "a device": with_member("results/device", type=tarfile.CHRTYPE),
    "a folder": with_member("results/folder", type=tarfile.DIRTYPE),
    "a member twice": lambda entries, _: [*entries, entries[-1]],
}


@ON_SQLITE
@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_archive_is_refused_and_nothing_is_written(what, archive, target, tmp_path):
    path = rewritten(archive, tmp_path / "hostile.tar", HOSTILE[what])
    assert "cannot be trusted" in refused(target, "restore", str(path))
    assert not list(target.folder.glob("**/*evil*"))
    assert not list(target.folder.glob("results/**/*"))
    assert not (target.folder / "spms.sqlite3").exists() or not tables_of(target)


def tables_of(system):
    return ask(system, "from documents.operations.backup import database; print(*database.tables())").split()


@ON_SQLITE
@pytest.mark.parametrize("share", [0, 0.001, 0.3, 0.9, 0.9999])
def test_a_truncated_archive_is_refused(share, archive, target, tmp_path):
    cut = tmp_path / "cut.tar"
    data = archive.read_bytes().rstrip(b"\0")
    cut.write_bytes(data[: int(len(data) * share)])
    line = refused(target, "restore", str(cut))
    assert "cut off" in line or "not a complete archive" in line
    assert not tables_of(target)


@ON_SQLITE
def test_a_damaged_member_is_named(archive, target, tmp_path):
    with tarfile.open(archive) as tar:
        member = next(entry for entry in tar if entry.name.startswith("results/"))
    data = bytearray(archive.read_bytes())
    data[member.offset_data + member.size // 2] ^= 1
    (tmp_path / "damaged.tar").write_bytes(data)
    line = refused(target, "restore", str(tmp_path / "damaged.tar"))
    assert f"{member.name} does not match the manifest" in line
    assert not tables_of(target)


@ON_SQLITE
@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b" + b"\0" * 600, None])
def test_what_is_no_archive_is_one_line(content, target, tmp_path):
    path = tmp_path / "file.tar"
    if content is not None:
        path.write_bytes(content)
    assert "Not restored" in refused(target, "restore", str(path))


@ON_SQLITE
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda _, manifest: manifest.update(version="99.0"), "made by a newer version"),
        (lambda _, manifest: manifest["migrations"].append("documents.9999_future"), "9999_future"),
        (lambda _, manifest: manifest.update(engine="postgresql"), "DATABASE_URL names sqlite"),
        (lambda _, manifest: manifest.update(format=2), "has format 2"),
        (lambda _, manifest: manifest.update(surprise=1), "manifest of this archive cannot be read"),
        (
            lambda entries, _: [entry for entry in entries if not entry[0].name.startswith("database")],
            "no database",
        ),
    ],
)
def test_an_archive_that_does_not_fit_is_refused(change, said, archive, target, tmp_path):
    assert said in refused(target, "restore", str(rewritten(archive, tmp_path / "other.tar", change)))


def with_database(damage):
    def change(entries, _):
        is_database = [info.name.startswith("database") for info, _ in entries]
        return [
            (info, damage(data) if hit else data)
            for hit, (info, data) in zip(is_database, entries, strict=True)
        ]

    return change


@ON_SQLITE
def test_a_damaged_database_leaves_the_old_one_as_it_was(archive, place, tmp_path):
    damage = with_database(lambda data: data[:5000] + b"\xff" * 5000 + data[10_000:])
    there = place()
    there.prepare()
    before = counts(there)
    line = refused(there, "restore", str(rewritten(archive, tmp_path / "bad.tar", damage)), "--replace")
    assert "damaged" in line or "unchanged" in line
    assert counts(there) == before


@ON_POSTGRESQL
def test_a_restore_that_postgresql_refuses_changes_nothing(archive, place, tmp_path):
    damage = with_database(lambda data: data[: len(data) // 2])
    there = place()
    there.prepare()
    before = counts(there)
    line = refused(there, "restore", str(rewritten(archive, tmp_path / "bad.tar", damage)), "--replace")
    assert "nothing was changed" in line
    assert counts(there) == before


@ON_POSTGRESQL
def test_without_the_programs_of_postgresql_it_names_the_package(system, tmp_path):
    bare = System(tmp_path, system.environment["DATABASE_URL"], PATH="/nowhere")
    line = refused(bare, "backup")
    assert "apt-get install postgresql-client-" in line
    assert not list(tmp_path.glob("backups/*"))
    assert not list(tmp_path.glob("backups/.*"))


@ON_SQLITE
def test_the_key_goes_along_when_it_is_asked_for(system, target, tmp_path):
    system.manage("backup", str(tmp_path), "--with-key")
    [path] = tmp_path.glob("*.tar")
    target.manage("restore", str(path))
    assert (target.folder / "secret_key").read_text() == (system.folder / "secret_key").read_text()
    assert (target.folder / "secret_key").stat().st_mode & 0o077 == 0


def test_a_place_without_tables_has_nothing_to_save(target):
    assert "has no tables" in refused(target, "backup")


@ON_SQLITE
def test_a_backup_into_a_folder_that_cannot_be_written_is_one_line(system):
    assert "No backup was made" in refused(system, "backup", "/proc/nowhere")


@ON_SQLITE
def test_files_in_a_bucket_stay_there_or_come_along(place, tmp_path):
    server = Server()
    with contextlib.closing(contextlib.ExitStack()) as stack:
        stack.callback(server.remove)
        there = place(**server.settings("one"))
        there.prepare()
        said = there.manage("backup", str(tmp_path / "without")).stdout
        assert "The files stay in s3://spms-tests/one" in said
        [without] = (tmp_path / "without").glob("*.tar")
        assert not [name for name in members_of(without) if "/" in name]
        there.manage("backup", str(tmp_path / "with"), "--with-bucket")
        [with_files] = (tmp_path / "with").glob("*.tar")
        images = [name for name in members_of(with_files) if name.startswith("media/")]
        assert len(images) == len(server.keys("one/media/")) > 0
        other = place(**server.settings("two"))
        other.manage("restore", str(with_files))
        assert len(server.keys("two/media/")) == len(images)
        local = place()
        local.manage("restore", str(with_files))
        assert len([path for path in local.folder.glob("media/**/*") if path.is_file()]) == len(images)
