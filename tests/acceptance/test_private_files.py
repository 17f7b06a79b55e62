"""However SPMS is started, other users of the machine cannot read its data."""

import os
import stat
import subprocess

import pytest
from PIL import Image

from tests.acceptance import sample_data
from tests.acceptance.system import MANAGE, ROOT, System
from tests.made_pictures import file_of

OTHERS = stat.S_IRWXG | stat.S_IRWXO


@pytest.fixture(scope="module")
def used_system(tmp_path_factory):
    """A system of its own that was started with the usual umask, and has done some of everything."""
    assert os.umask(0o022) == 0o022
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sample_data, "folder", None)
        system = System(tmp_path_factory.mktemp("place") / "data")
        with system.running():
            plan = system.documents(kind="concept_plan")[0]
            system.ended(system.make(plan).json()["task_id"])
            files = {"file": ("picture.png", file_of(Image.new("RGB", (400, 300))))}
            assert system.call("POST", f"documents/{plan['id']}/images/", files=files).ok
            export = {"what": "documents", "format": "csv"}
            system.ended(system.call("POST", "exports/", json=export).json()["task_id"])
            system.manage("backup")
            yield system


def open_to_others(folder):
    """Return what other users could read, except static files, the cache of fonts, and the log of the tests."""
    public = [folder / "static", folder / "processes.log", *folder.glob("run/*/cache")]
    return [
        path
        for path in folder.rglob("*")
        if not any(path.is_relative_to(other) for other in public)
        and path.stat(follow_symlinks=False).st_mode & OTHERS
    ]


def test_nothing_in_the_data_folder_is_open_to_others(used_system):
    folder = used_system.folder
    assert open_to_others(folder) == []
    names = {path.relative_to(folder).parts[0] for path in folder.rglob("*") if path.is_file()}
    assert {"spms.sqlite3", "spms.sqlite3-wal", "secret_key", "media", "results", "backups"} <= names
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_static_files_can_be_read_by_a_web_server(used_system):
    static = used_system.folder / "static"
    closed = [path for path in static.rglob("*") if not path.stat().st_mode & stat.S_IROTH]
    assert closed == []


def test_the_files_of_an_earlier_version_are_closed_at_the_next_start(tmp_path):
    folder = tmp_path / "data"
    for name in ("media", "results"):
        (folder / name).mkdir(parents=True)
        (folder / name).chmod(0o755)
    database = folder / "spms.sqlite3"
    database.touch(0o644)
    variables = {"PATH": os.environ["PATH"], "SPMS_DATA_DIR": str(folder)}
    subprocess.run([*MANAGE, "migrate", "-v", "0"], cwd=ROOT, env=variables, check=True, umask=0o022)
    assert database.stat().st_mode & stat.S_IRWXO == 0
    assert [
        path for path in (folder / "media", folder / "results") if path.stat().st_mode & stat.S_IRWXO
    ] == []
