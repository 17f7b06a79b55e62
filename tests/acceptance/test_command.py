"""The command ``spms``: which installation it works on, and whose files it writes."""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.acceptance.system import ROOT, System

SPMS = ROOT / "deploy" / "spms"
# As cron has it: no settings, another folder.
BARE = {"PATH": "/usr/bin:/bin"}

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can go on as another user")


@pytest.fixture(scope="module")
def installation():
    """A prepared database in a folder that another user can reach, and the file of its settings."""
    folder = Path(tempfile.mkdtemp(prefix="spms-command-"))
    folder.chmod(0o755)
    data = folder / "data"
    data.mkdir(mode=0o700)
    System(data).prepare()
    (folder / "spms.env").write_text(f"SPMS_DATA_DIR={data}\nSPMS_MODE=queue\n")
    yield folder
    shutil.rmtree(folder)


def spms(*arguments, cwd="/", python=None, **environment):
    command = [python, "-m", "spms.command_line"] if python else [SPMS]
    return subprocess.run(
        [*command, *arguments], cwd=cwd, env=BARE | environment, capture_output=True, text=True
    )


def test_it_says_which_database_and_folder_it_works_on(installation):
    shown = spms("--env-file", installation / "spms.env", "mode")
    assert shown.returncode == 0, shown.stderr
    assert "queue" in shown.stdout
    data = installation / "data"
    assert shown.stderr == (
        f"spms: database {data}/spms.sqlite3, data folder {data} (settings of {installation}/spms.env)\n"
    )


def test_settings_of_the_environment_stand_before_those_of_a_file_and_need_none(installation):
    shown = spms("mode", SPMS_DATA_DIR=str(installation / "data"), SPMS_MODE="inline")
    assert shown.returncode == 0, shown.stderr
    assert "PDFs are rendered inline" in shown.stdout
    assert "The setting SPMS_MODE=inline says so" in shown.stdout
    assert "(settings of the environment)" in shown.stderr


@pytest.mark.parametrize("command", ["backup", "mode", "createsuperuser", "restore", "migrate", "qcluster"])
def test_it_creates_no_database_unless_it_is_told_to(command, tmp_path):
    arguments = [command, *(["archive.tar"] if command == "restore" else [])]
    refused = spms(*arguments, SPMS_DATA_DIR=str(tmp_path / "missing"))
    assert refused.returncode == 1
    [line] = refused.stderr.splitlines()
    assert "missing does not exist" in line
    assert "--env-file" in line
    assert not list(tmp_path.iterdir())


def test_it_creates_no_file_of_a_database_in_a_folder_that_exists(tmp_path):
    refused = spms("backup", SPMS_DATA_DIR=str(tmp_path))
    assert refused.returncode == 1
    assert f"the database {tmp_path}/spms.sqlite3 does not exist" in refused.stderr
    assert not (tmp_path / "spms.sqlite3").exists()


def test_it_creates_one_when_told_to(tmp_path):
    made = spms("--create", "migrate", "--verbosity", "0", SPMS_DATA_DIR=str(tmp_path / "new"))
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "new" / "spms.sqlite3").exists()


def test_a_missing_settings_file_is_one_line(tmp_path):
    refused = spms("--env-file", tmp_path / "none.env", "backup")
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "none.env does not exist" in refused.stderr


def test_commands_without_a_database_work_before_there_is_one(tmp_path):
    rules = spms("export_prometheus_rules", SPMS_DATA_DIR=str(tmp_path))
    assert rules.returncode == 0, rules.stderr
    assert rules.stderr == ""
    assert not (tmp_path / "spms.sqlite3").exists()


@pytest.fixture(scope="module")
def public_python():
    """A Python that every user can start: that of this run may be in somebody's home."""
    folder = Path(tempfile.mkdtemp(prefix="spms-python-"))
    folder.chmod(0o755)
    (folder / "base").mkdir()
    subprocess.run(["mount", "--bind", sys.base_prefix, folder / "base"], check=True)
    yield folder / "base" / "bin" / Path(os.path.realpath(sys.executable)).name
    subprocess.run(["umount", folder / "base"], check=True)
    shutil.rmtree(folder)


@as_root
def test_root_writes_as_the_owner_of_the_data_folder(installation, public_python):
    owner = pwd.getpwnam("nobody")
    data = installation / "data"
    for path in (data, *data.rglob("*")):
        os.chown(path, owner.pw_uid, owner.pw_gid)
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    paths = f"{ROOT}:{packages}"
    made = spms("--env-file", installation / "spms.env", "backup", python=public_python, PYTHONPATH=paths)
    assert made.returncode == 0, made.stderr
    assert list((data / "backups").glob("spms-*.tar"))
    assert {path.stat().st_uid for path in data.rglob("*")} == {owner.pw_uid}
