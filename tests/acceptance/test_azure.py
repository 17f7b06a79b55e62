"""Files in Azure Blob Storage, with Azurite: make test ARGS="tests/acceptance/test_azure.py --azurite FOLDER"."""

import io
import shutil

import pytest
from django.core.files.base import ContentFile

from bench.ports import free_port
from documents.infrastructure import storage
from documents.infrastructure.azure import CHUNK_BYTES, ContainerStorage
from tests import factories
from tests.acceptance.azurite import CONTAINER, OTHER_KEY, Azurite
from tests.acceptance.system import System

CLEAN_UP = """
from datetime import timedelta
from documents.infrastructure import storage
from documents.models import Task
from documents.tasks import maintenance
maintenance.UNFINISHED = timedelta(0)
print(maintenance.remove_files(storage.results(), [(Task, "file"), (Task, "source")]))
"""


@pytest.fixture(scope="module")
def azurite(request):
    folder = request.config.getoption("--azurite")
    if not folder:
        pytest.skip("--azurite names the folder of `npm install azurite`")
    server = Azurite(folder)
    yield server
    server.remove()


@pytest.fixture(scope="module")
def system(azurite, tmp_path_factory):
    prepared = System(tmp_path_factory.mktemp("azure"), SPMS_MODE="auto")
    prepared.prepare()
    prepared.environment |= azurite.settings("agency")
    media = prepared.folder / "media"
    for path in filter(lambda path: path.is_file(), media.rglob("*")):
        azurite.container.upload_blob(f"agency/media/{path.relative_to(media)}", path.read_bytes())
    shutil.rmtree(media)
    try:
        prepared.start_web()
        prepared.start_workers()
        yield prepared
    finally:
        prepared.stop()


@pytest.fixture
def files(azurite):
    return container(azurite.connection())


def container(connection, name=CONTAINER):
    return ContainerStorage(azure_container=name, location="alone", connection_string=connection)


@pytest.mark.parametrize("wish", [{}, {"Prefer": "respond-async"}], ids=["inline", "queue"])
def test_a_pdf_with_an_image_is_made_and_read(system, azurite, wish):
    plan = system.documents(kind="concept_plan")[0]
    picture = factories.image_file((900, 700), "JPEG").read()
    image = system.call("POST", f"documents/{plan['id']}/images/", files={"file": ("a.jpg", picture)}).json()
    assert system.session.get(system.address + image["url"]).content.startswith((b"\x89PNG", b"\xff\xd8\xff"))
    sections = {"aims": f'<p>x</p><img src="{image["url"]}" alt="Noise.">'}
    assert system.call("PATCH", f"documents/{plan['id']}/", json={"sections": sections}).ok
    task = system.ended(system.make(plan, headers=wish).json()["task_id"])
    assert (task["status"], task["result"]["warnings"]) == ("succeeded", [])
    sent = system.session.get(system.address + task["result"]["url"])
    assert len(sent.content) == task["result"]["bytes"]
    part = system.session.get(system.address + task["result"]["url"], headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, sent.content[100:200])
    assert azurite.names("agency/results/")
    assert not list(system.folder.glob("results/**/*.pdf"))


def test_the_clean_up_removes_what_no_row_names(system, azurite):
    azurite.container.upload_blob("agency/results/2026/11/stray.pdf", b"left")
    azurite.container.upload_blob("elsewhere/results/other.pdf", b"of somebody else")
    assert system.manage("shell", "-v", "0", "-c", CLEAN_UP).stdout.split() == ["1"]
    assert not [name for name in azurite.names("agency/") if "stray" in name]
    assert azurite.names("elsewhere/")


def test_files_are_listed_read_from_the_middle_and_deleted(files):
    content = bytes(range(256)) * (CHUNK_BYTES // 100)
    name = files.save("2026/11/large.pdf", ContentFile(content))
    with files.open_at(name, 1000) as stream:
        assert stream.read(4) == content[1000:1004]
        assert stream.seek(-3, io.SEEK_END) == len(content) - 3
        assert stream.read() == content[-3:]
    with files.open(name) as stream:
        assert stream.read() == content
    assert (files.exists(name), files.size(name)) == (True, len(content))
    assert [*storage.iter_names(files)] == [name]
    files.delete(name)
    files.delete(name)
    assert (files.exists(name), [*storage.iter_names(files)]) == (False, [])
    with pytest.raises(FileNotFoundError):
        files.open(name)


def test_a_fault_says_what_to_check(azurite):
    for wrong, reason in (
        (container(azurite.connection(), "no-such-container"), "does not exist: create it"),
        (
            container(azurite.connection(key=OTHER_KEY)),
            "denies access .*check AZURE_STORAGE_CONNECTION_STRING",
        ),
        (container(azurite.connection(port=free_port())), "cannot be reached"),
    ):
        for use in (
            lambda files=wrong: files.exists("a"),
            lambda files=wrong: files.open("a"),
            lambda files=wrong: files.save("a", ContentFile(b"a")),
            lambda files=wrong: files.listdir(""),
        ):
            with pytest.raises(storage.StorageUnreachable, match=reason):
                use()
