"""A full disk, a folder that cannot be written, a file that vanished: said plainly, and then it goes on."""

import contextlib
import errno
import gc
import os
import random
import resource
import shutil
import string
import subprocess
import sys
from concurrent import futures
from pathlib import Path

import psutil
import pytest

from documents.infrastructure import storage
from documents.models import Document, DocumentImage, Task
from documents.queue import lifecycle
from documents.rendering import pool
from documents.tasks.pdf import drafts
from tests import factories
from tests.acceptance import warm
from tests.asking import address


@pytest.fixture(autouse=True)
def _renders_in_this_thread(monkeypatch):
    """Keep the database in the test's own transaction: the disk that fills up is that of the files."""

    def start(task_id, *, deadline):
        lifecycle.run(task_id, deadline=deadline)
        ended: futures.Future[None] = futures.Future()
        ended.set_result(None)
        return ended

    monkeypatch.setattr(lifecycle, "start", start)


KIB = 1024


def problem_of(answer, status, slug):
    assert answer.status_code == status, answer.content[:300]
    assert answer["Content-Type"] == "application/problem+json"
    assert b"ErrorDetail(" not in answer.content
    problem = answer.json()
    assert (problem["type"], problem["status"]) == (f"urn:spms:problem:{slug}", status)
    assert problem["title"]
    assert problem["detail"].endswith(".")
    return problem


def render(client, document):
    return client.post(f"{address(document)}?force=true")


def pdf_of(client, document):
    answer = client.get(address(document))
    return answer if answer.status_code != 200 else b"".join(answer.streaming_content)


def task_of(document):
    return Task.objects.filter(document=document).latest("created_at")


def move_data_to(settings, folder):
    """Let everything that is written from now on be written below ``folder``."""
    settings.SPMS_DATA_DIR = folder
    backend = "django.core.files.storage.FileSystemStorage"
    settings.STORAGES = settings.STORAGES | {
        alias: {"BACKEND": backend, "OPTIONS": {"location": str(folder / name)}}
        for alias, name in (("results", "results"), ("default", "media"))
    }


def files_below(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def data_folder(settings, tmp_path):
    move_data_to(settings, tmp_path)
    return tmp_path


@pytest.fixture
def own_pool():
    """Rendering processes that begin (and end) with this test."""
    pool.close_pool()
    yield
    pool.close_pool()


@contextlib.contextmanager
def small_disk(folder):
    """Mount a disk in memory and yield how to leave so much room on it; skips where that is not allowed."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"mounting is not permitted here: {mounted.stderr.strip()}")
    ballast = folder / "ballast"

    def leave(room_bytes):
        ballast.unlink(missing_ok=True)
        if room_bytes is not None:
            free = shutil.disk_usage(folder).free
            ballast.write_bytes(b"\0" * max(0, free - room_bytes))

    try:
        yield leave
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextlib.contextmanager
def small_files(folder):
    """Yield how to bound the size of each file of this process and its children; needs no rights."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    own = psutil.Process()

    def leave(room_bytes):
        bound = soft if room_bytes is None else room_bytes
        for process in (own, *own.children(recursive=True)):
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (bound, hard))

    try:
        yield leave
    finally:
        leave(None)


@pytest.fixture(params=[small_disk, small_files])
def leave_room(request, settings, tmp_path, own_pool):
    with request.param(tmp_path) as leave:
        move_data_to(settings, tmp_path)
        settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
        yield leave
        pool.close_pool()


@pytest.fixture
def illustrated(plan, leave_room):
    """A document whose PDF is much larger than its HTML."""
    images = [factories.image(plan) for _ in range(3)]
    plan.sections = {"aims": "".join(f'<p>x</p><img src="{image.url}">' for image in images)}
    plan.save(update_fields=["sections"])
    return plan


def html_size(document, folder):
    return drafts.write_html(document, folder / "draft.html").path.stat().st_size


@pytest.mark.parametrize("what_fits", ["nothing", "half of the HTML", "the HTML alone", "half of the PDF"])
def test_a_full_disk_is_a_problem_and_the_next_render_works(
    api, illustrated, leave_room, what_fits, tmp_path, tmp_path_factory
):
    whole = render(api, illustrated)
    assert whole.status_code == 201, whole.content
    html_bytes = html_size(illustrated, tmp_path_factory.mktemp("size"))
    pdf_bytes = whole.data["result"]["bytes"]
    assert html_bytes < pdf_bytes / 2
    rooms = {
        "nothing": 0,
        "half of the HTML": html_bytes // 2,
        "the HTML alone": html_bytes + 8 * KIB,
        "half of the PDF": html_bytes + pdf_bytes // 2,
    }
    illustrated.apply_changes({"year": 2025}, by="author")
    leave_room(rooms[what_fits])
    problem = problem_of(render(api, illustrated), 507, "storage-full")
    assert "full" in problem["detail"]
    task = task_of(illustrated)
    assert (task.status, task.error["type"], task.file) == ("failed", "storage-full", "")
    assert api.get(task.get_absolute_url()).data["error"]["type"] == "urn:spms:problem:storage-full"
    problem_of(pdf_of(api, illustrated), 404, "pdf-missing")
    leave_room(None)
    assert render(api, illustrated).status_code == 201
    assert pdf_of(api, illustrated).rstrip().endswith(b"%%EOF")
    assert len(files_below(tmp_path / "results")) == 2
    assert files_below(tmp_path / "work") == []


@pytest.mark.parametrize(
    ("file_format", "room"),
    [
        ("zip", 0),
        *((name, room) for name in ("csv", "xlsx", "jsonl") for room in (0, 8 * KIB, 40 * KIB, 80 * KIB)),
    ],
)
def test_an_export_on_a_full_disk_is_a_problem_and_the_next_one_works(
    api, plan, leave_room, file_format, room, monkeypatch
):
    """Whatever is open is closed where it fails: a destructor that fails later fails somewhere else."""
    failures: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", failures.append)
    render(api, plan)
    letters = "".join(random.Random(1).choices(string.ascii_letters + string.digits, k=25_000))
    long_sections = dict.fromkeys(("aims", "background", "outcome", "collaborations"), letters)
    if file_format != "zip":
        Document.objects.filter(pk=plan.pk).update(sections=long_sections)
    leave_room(room)
    problem_of(
        api.post("/api/v1/exports/", {"what": "documents", "format": file_format}), 507, "storage-full"
    )
    gc.collect()
    assert failures == []
    leave_room(None)
    assert api.post("/api/v1/exports/", {"what": "documents", "format": file_format}).status_code == 201


def test_an_image_on_a_full_disk_is_a_problem_and_nothing_of_it_stays(api, plan, leave_room, settings):
    leave_room(16 * KIB)
    address, media = f"/api/v1/documents/{plan.pk}/images/", Path(settings.SPMS_DATA_DIR) / "media"
    answer = api.post(address, {"file": factories.image_file()}, format="multipart")
    problem_of(answer, 507, "storage-full")
    assert not DocumentImage.objects.exists()
    assert files_below(media) == []
    leave_room(None)
    answer = api.post(address, {"file": factories.image_file()}, format="multipart")
    assert answer.status_code == 201


def test_whichever_file_cannot_be_made_it_is_the_same_problem(api, plan, settings, tmp_path, own_pool):
    with small_disk(tmp_path):
        move_data_to(settings, tmp_path)
        fill_with_files(tmp_path)
        statuses: list[int] = []
        while not statuses or statuses[-1] != 201:
            assert len(statuses) < 30, statuses
            answer = render(api, plan)
            statuses.append(answer.status_code)
            if answer.status_code != 201:
                problem_of(answer, 507, "storage-full")
            next(tmp_path.glob("empty-*")).unlink()
        pool.close_pool()
    assert statuses.count(507) > 3


def fill_with_files(folder):
    """Leave room for bytes, but for not one more file."""
    subprocess.run(["mount", "-o", "remount,nr_inodes=40", str(folder)], check=True)
    with contextlib.suppress(OSError):
        for number in range(100):
            (folder / f"empty-{number}").touch()


UNUSABLE = {"below proc": "/proc/nowhere", "a file in its place": "file", "below a file": "file/below"}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_data_folder_that_cannot_be_written_is_a_problem(api, plan, settings, tmp_path, name, own_pool):
    (tmp_path / "file").touch()
    before = settings.SPMS_DATA_DIR
    move_data_to(settings, tmp_path / UNUSABLE[name])
    problem_of(render(api, plan), 503, "storage-unavailable")
    task = task_of(plan)
    assert (task.status, task.error["type"]) == ("failed", "storage-unavailable")
    image = api.post(
        f"/api/v1/documents/{plan.pk}/images/", {"file": factories.image_file()}, format="multipart"
    )
    problem_of(image, 503, "storage-unavailable")
    problem_of(pdf_of(api, plan), 404, "pdf-missing")
    move_data_to(settings, Path(before))
    assert render(api, plan).status_code == 201


@pytest.mark.parametrize("name", ["work", "run", "results"])
def test_a_part_of_the_data_folder_that_cannot_be_written_is_a_problem(
    api, plan, data_folder, name, own_pool
):
    (data_folder / name).touch()
    problem_of(render(api, plan), 503, "storage-unavailable")
    assert task_of(plan).error["type"] == "storage-unavailable"
    (data_folder / name).unlink()
    assert render(api, plan).status_code == 201
    assert files_below(data_folder / "work") == []


def test_a_read_only_disk_is_a_problem(api, plan, settings, tmp_path, own_pool):
    with small_disk(tmp_path):
        move_data_to(settings, tmp_path)
        assert render(api, plan).status_code == 201
        subprocess.run(["mount", "-o", "remount,ro", str(tmp_path)], check=True)
        assert pdf_of(api, plan).startswith(b"%PDF-")
        problem = problem_of(render(api, plan), 503, "storage-unavailable")
        assert os.strerror(errno.EROFS).lower() in problem["detail"]
        subprocess.run(["mount", "-o", "remount,rw", str(tmp_path)], check=True)
        assert render(api, plan).status_code == 201
        pool.close_pool()


def test_results_may_lie_on_a_disk_of_their_own(api, plan, data_folder):
    (data_folder / "results").mkdir()
    with small_disk(data_folder / "results") as leave:
        assert render(api, plan).status_code == 201
        assert pdf_of(api, plan).startswith(b"%PDF-")
        leave(4 * KIB)
        problem_of(render(api, plan), 507, "storage-full")
        assert (
            len(files_below(data_folder / "results")) == 2
        )  # the first PDF and the ballast: no half of the second


def manage(folder, *arguments, **environment):
    environment = {"PATH": os.environ["PATH"], "SPMS_DATA_DIR": str(folder), **environment}
    return warm.run(arguments, environment)


@pytest.mark.parametrize("key", [{}, {"SECRET_KEY": "a key of the operator"}], ids=["own key", "given key"])
@pytest.mark.parametrize("command", ["check", "migrate"])
@pytest.mark.parametrize("name", UNUSABLE)
def test_an_unusable_data_folder_is_one_line_at_the_start(tmp_path, name, command, key):
    (tmp_path / "file").touch()
    ended = manage(tmp_path / UNUSABLE[name], command, **key)
    assert ended.returncode != 0
    assert len(ended.stderr.strip().splitlines()) == 1, ended.stderr
    assert "SPMS_DATA_DIR" in ended.stderr


def vanish(task):
    Path(storage.results().path(task.file)).unlink()


def test_a_pdf_that_vanished_is_missing_and_is_made_again(api, plan, data_folder):
    assert render(api, plan).status_code == 201
    vanish(task_of(plan))
    problem = problem_of(pdf_of(api, plan), 404, "pdf-missing")
    assert f"POST {address(plan)}" in problem["detail"]
    assert api.post(address(plan)).status_code == 201
    assert pdf_of(api, plan).startswith(b"%PDF-")
    assert api.post(address(plan)).status_code == 200


def test_a_pdf_of_a_task_that_vanished_is_missing(api, plan, data_folder):
    url = render(api, plan).data["result"]["url"]
    vanish(task_of(plan))
    problem_of(api.get(url), 404, "pdf-missing")
    problem_of(api.get(url, headers={"Range": "bytes=0-9"}), 404, "pdf-missing")


def test_an_image_that_vanished_is_a_problem_and_a_warning_on_the_pdf(api, plan, data_folder):
    image = factories.image(plan)
    plan.sections = {"aims": f'<p>x</p><img src="{image.url}">'}
    plan.save(update_fields=["sections"])
    Path(image.file.path).unlink()
    answer = render(api, plan)
    assert answer.status_code == 201
    assert "image-missing" in {warning["rule"] for warning in answer.data["result"]["warnings"]}
    problem_of(api.get(image.url), 404, "not-found")


def test_a_large_upload_on_a_full_disk_is_a_plain_problem(leave_room, api, plan):
    large = factories.image_file((1600, 1200), "TIFF")
    assert large.size > 2_500_000  # below that Django keeps an upload in memory
    leave_room(64 * KIB)
    answer = api.post(f"/api/v1/documents/{plan.pk}/images/", {"file": large}, format="multipart")
    problem_of(answer, 507, "storage-full")
    assert not DocumentImage.objects.exists()
    del answer
    gc.collect()  # an upload left open would be a warning, and that an error


def test_a_machine_that_can_start_no_process_says_so(api, plan, data_folder, own_pool, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    problem = problem_of(render(api, plan), 503, "render-busy")
    assert "could be started" in problem["detail"]
    assert not list(data_folder.glob("run/*/child-*"))
