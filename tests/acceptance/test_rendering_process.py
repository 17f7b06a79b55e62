"""The rendering processes: killed, starved, worn out, shared, orphaned; real ones, each time."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pikepdf
import psutil
import pytest
from fontTools.ttLib import TTFont

from documents import exceptions
from documents.rendering import pool
from documents.rendering.protocol import RenderJob
from tests.acceptance.servers import computed_seconds
from tests.waiting import promised, wait_for

ROOT = Path(__file__).parents[2]
FONTS = ROOT / "documents" / "rendering" / "fonts"
MIB = 1024**2
PLAIN = "<title>Plain</title><p>A plain page."
LONG = "<title>Long</title>" + f"<p>{'The survey covered forty transects of the meadow. ' * 20}</p>" * 600
SHORT = "<title>Short</title>" + "<p>The survey covered forty transects of the meadow.</p>" * 400
GREEDY = (
    "<style>@counter-style s { system: symbolic; symbols: x } p { counter-reset: c 20000000 }"
    "p::before { content: counter(c, s) }</style><p>x"
)


@pytest.fixture
def make_pool(tmp_path):
    pools = []

    def make_pool(slot_count=1, memory_mib=400, renders=100, folder=tmp_path):
        limits = pool.ChildLimits(memory_bytes=memory_mib * MIB, renders=renders)
        pools.append(pool.Pool(folder, slot_count=slot_count, limits=limits))
        return pools[-1]

    yield make_pool
    for started in pools:
        started.close()
    wait_for(lambda: not children(tmp_path))


@pytest.fixture(scope="module")
def lasting_pool(tmp_path_factory):
    """A pool for tests that leave its child as it is."""
    limits = pool.ChildLimits(memory_bytes=400 * MIB, renders=100)
    rooms = pool.Pool(tmp_path_factory.mktemp("lasting"), slot_count=1, limits=limits)
    yield rooms
    rooms.close()


def render(
    rooms, folder, html=PLAIN, *, name="page", seconds=120.0, cpu_seconds=600, report=None, images=None
):
    page = folder / f"{name}.html"
    page.write_text(html)
    job = RenderJob(
        html_path=str(page),
        pdf_path=str(page.with_suffix(".pdf")),
        images=images or {},
        cpu_seconds=cpu_seconds,
    )
    quiet = lambda phase, pages: None  # noqa: E731
    return rooms.render(job, deadline=time.monotonic() + seconds, report=report or quiet)


def children(folder):
    """Return our rendering processes that work in ``folder``, dead ones that nobody waited for included."""
    alive = psutil.Process().children()
    return [c for c in alive if c.status() == psutil.STATUS_ZOMBIE or c.cwd().startswith(str(folder))]


def is_gone(pid):
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def only_child(folder):
    [child] = children(folder)
    return child.pid


def when_it_lays_out(action):
    """Return a report that acts once, in the middle of the render."""
    done: list[int] = []

    def report(phase, pages):
        if phase == "layout" and not done:
            done.append(pages)
            action()

    return report


def test_a_child_that_is_killed_in_the_middle_fails_its_render_only(make_pool, tmp_path):
    rooms = make_pool()
    kill = when_it_lays_out(lambda: os.kill(only_child(tmp_path), signal.SIGKILL))
    with pytest.raises(exceptions.RenderKilled) as caught:
        render(rooms, tmp_path, LONG, report=kill)
    assert (caught.value.status, caught.value.retry_after_seconds) == (503, 5)
    assert render(rooms, tmp_path).pages == 1


# What GLib and other libraries end a process with when they get no memory.
@pytest.mark.parametrize("crash", [signal.SIGABRT, signal.SIGSEGV, signal.SIGTRAP])
def test_a_child_that_crashes_had_too_little_memory(make_pool, tmp_path, crash):
    rooms = make_pool()
    strike = when_it_lays_out(lambda: os.kill(only_child(tmp_path), crash))
    with pytest.raises(exceptions.RenderOutOfMemory):
        render(rooms, tmp_path, LONG, report=strike)


def test_a_child_that_is_killed_while_it_waits_is_not_noticed_by_anybody(make_pool, tmp_path):
    rooms = make_pool()
    rooms.warm()
    os.kill(only_child(tmp_path), signal.SIGKILL)
    wait_for(lambda: is_gone(children(tmp_path)[0].pid))
    assert render(rooms, tmp_path).pages == 1
    assert len(children(tmp_path)) == 1


def test_a_render_that_takes_too_much_memory_is_ended(make_pool, tmp_path):
    rooms = make_pool(memory_mib=150)
    with pytest.raises(exceptions.RenderOutOfMemory) as caught:
        render(rooms, tmp_path, GREEDY, seconds=600)
    assert caught.value.status == 503
    assert "150 MiB" in str(caught.value)  # the limit that this pool was given
    assert render(rooms, tmp_path).pages == 1


def test_a_render_past_its_deadline_is_ended_at_once(make_pool, tmp_path):
    rooms = make_pool()
    rooms.warm()
    started = time.monotonic()
    with pytest.raises(exceptions.RenderTimeout) as caught:
        render(rooms, tmp_path, LONG, seconds=1.0)
    assert 1.0 <= time.monotonic() - started < 1 + promised(1)
    assert caught.value.status == 504
    assert render(rooms, tmp_path).pages == 1


def test_a_render_past_its_computing_time_is_ended(make_pool, tmp_path):
    rooms = make_pool()
    with pytest.raises(exceptions.RenderCpuLimit) as caught:
        render(rooms, tmp_path, LONG, cpu_seconds=1)
    assert caught.value.status == 504
    assert render(rooms, tmp_path).pages == 1


def test_computing_time_is_counted_for_each_render_alone(make_pool, tmp_path):
    rooms = make_pool(renders=10_000)
    render(rooms, tmp_path, SHORT)
    child = psutil.Process(only_child(tmp_path))
    enough_seconds = computed_seconds(child) + 4
    while computed_seconds(child) < enough_seconds:
        render(rooms, tmp_path, cpu_seconds=3)  # each far below its limit, however slow the machine
    assert only_child(tmp_path) == child.pid


def test_a_child_is_replaced_after_its_share_of_renders(make_pool, tmp_path):
    rooms = make_pool(renders=2)
    pids = []
    for _ in range(4):
        pids.append(only_child(tmp_path) if children(tmp_path) else None)
        render(rooms, tmp_path)
    pids.append(only_child(tmp_path))
    assert pids[0] is None
    assert pids[1] != pids[2] == pids[3] != pids[4]


def test_no_folder_and_no_process_is_left_after_kills_and_close(make_pool, tmp_path):
    rooms = make_pool(slot_count=2, renders=1)
    rooms.warm()
    render(rooms, tmp_path)
    with pytest.raises(exceptions.RenderTimeout):
        render(rooms, tmp_path, LONG, seconds=0.7)
    assert all(child.status() != psutil.STATUS_ZOMBIE for child in psutil.Process().children())
    rooms.close()
    assert children(tmp_path) == []
    assert list(tmp_path.glob("child-*")) == []


def test_an_error_of_the_reporter_ends_the_render_and_its_child(make_pool, tmp_path):
    rooms = make_pool()
    busy = []

    def unwanted():
        busy.append(only_child(tmp_path))
        raise LookupError("nobody wants it any more")

    with pytest.raises(LookupError):
        render(rooms, tmp_path, LONG, report=when_it_lays_out(unwanted))
    assert is_gone(busy[0])
    assert render(rooms, tmp_path).pages == 1


def test_progress_goes_through_the_phases_and_the_pages_grow(lasting_pool, tmp_path):
    reports = []
    rendered = render(lasting_pool, tmp_path, SHORT * 3, report=lambda *told: reports.append(told))
    phases = [phase for phase, _ in reports]
    order = ["wait", "fetch", "layout", "draw"]
    assert [phase for phase in order if phase in phases] == list(dict.fromkeys(phases))
    assert {"fetch", "layout"} <= set(phases)
    pages = [pages for phase, pages in reports if phase in {"layout", "draw"}]
    assert all(before <= after for before, after in pairwise(pages))
    assert len(set(pages)) > 3
    assert max(pages) <= rendered.pages


def test_eight_threads_share_two_children(make_pool, tmp_path):
    rooms = make_pool(slot_count=2)
    rooms.warm()
    spans = []

    def render_page(number):
        working = []

        def report(phase, pages):
            if phase != "wait":
                working.append(time.monotonic())

        rendered = render(rooms, tmp_path, SHORT, name=f"page-{number}", seconds=600, report=report)
        spans.append((working[0], working[-1]))
        return rendered.digest

    with ThreadPoolExecutor(8) as threads:
        digests = set(threads.map(render_page, range(8)))
    assert len(digests) == 1
    assert len(spans) == 8
    at_once = [sum(first <= moment <= last for first, last in spans) for moment, _ in spans]
    assert max(at_once) == 2


def test_there_are_never_more_children_than_slots(make_pool, tmp_path):
    rooms = make_pool(slot_count=2)
    rooms.warm()
    with ThreadPoolExecutor(8) as threads:
        list(
            threads.map(
                lambda number: render(rooms, tmp_path, name=f"page-{number}", seconds=600), range(100)
            )
        )
    assert len(children(tmp_path)) == 2


def test_who_gets_no_slot_in_time_is_told_that_it_is_busy(make_pool, tmp_path):
    first, second = make_pool(), make_pool()
    is_working, is_enough = threading.Event(), threading.Event()

    def hold(phase, pages):
        is_working.set()
        if is_enough.is_set():
            raise LookupError

    with ThreadPoolExecutor(1) as threads:
        holder = threads.submit(render, first, tmp_path, LONG, name="long", seconds=600, report=hold)
        assert is_working.wait(120)
        waited = []
        with pytest.raises(exceptions.RenderBusy) as caught:
            render(second, tmp_path, seconds=0.5, report=lambda *told: waited.append(told))
        assert (caught.value.status, set(waited)) == (503, {("wait", 0)})
        is_enough.set()
        assert isinstance(holder.exception(), LookupError)
    assert render(second, tmp_path).pages == 1


def test_the_same_html_gives_the_same_file_in_every_child(make_pool, tmp_path):
    html = SHORT + "<h1>A title</h1><table><tr><th>a<td>b</table><ul><li>c</ul>"
    results = [render(make_pool(), tmp_path, html, name=f"page-{number}") for number in range(2)]
    assert results[0] == results[1]
    assert (tmp_path / "page-0.pdf").read_bytes() == (tmp_path / "page-1.pdf").read_bytes()


def test_only_fonts_of_the_project_and_its_packages_are_embedded(lasting_pool, tmp_path):
    families = (
        "Arial",
        "Times New Roman",
        "DejaVu Serif",
        "Noto Sans CJK JP",
        "monospace",
        "cursive",
        "Ubuntu",
    )
    text = "Seagrass — ångström 12 ± 3 %, ✓ <b>bold</b> <i>italic</i> <b><i>both</i></b> Ελληνικά 海草"
    html = "".join(f"<p style='font-family:\"{family}\"'>{text}" for family in families)
    render(lasting_pool, tmp_path, html)
    files = [path for path in FONTS.iterdir() if path.suffix in {".ttf", ".otf"}]
    ours = {TTFont(path)["name"].getDebugName(number) for path in files for number in (1, 16)} - {None}
    ours.add("Noto Sans")
    with pikepdf.open(tmp_path / "page.pdf") as document:
        fonts = [
            item for item in document.objects if isinstance(item, pikepdf.Dictionary) and "/FontName" in item
        ]
        names = {re.sub(r"^/[A-Z]{6}\+", "", str(font.FontName)) for font in fonts}
        assert names
        assert all({"/FontFile", "/FontFile2", "/FontFile3"} & set(font.keys()) for font in fonts)
    for name in names:
        assert any(name.startswith(family.replace(" ", "-")) for family in ours), (name, ours)


def test_a_lost_image_and_a_missing_glyph_are_told(lasting_pool, tmp_path):
    html = "<h2 class='section-title'>Aims</h2><p>\ue001 x</p><img src='/api/v1/images/1/'><img src='https://example.org/x.png'>"
    warnings = [warning.text for warning in render(lasting_pool, tmp_path, html).warnings]
    assert any(warning.startswith("2 image(s)") for warning in warnings), warnings
    assert any("Characters in “Aims” are in none" in warning for warning in warnings), warnings
    assert render(lasting_pool, tmp_path).warnings == ()


def test_an_image_that_is_cut_off_is_told_too(lasting_pool, tmp_path):
    (tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 20)
    images = {"/a/": str(tmp_path / "cut.png"), "/b/": str(tmp_path / "gone.png")}
    rendered = render(
        lasting_pool, tmp_path, "<p>x<img src='/a/' alt='A'><img src='/b/' alt='B'>", images=images
    )
    assert [warning.text.split()[0] for warning in rendered.warnings] == ["2"]


def test_a_child_has_no_secrets_in_its_environment_and_a_folder_of_its_own(make_pool, tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "very secret")
    monkeypatch.setenv("DATABASE_URL", "postgres://u:p@h/d")
    make_pool().warm()
    [child] = children(tmp_path)
    environment = wait_for(child.environ)
    assert not {"SECRET_KEY", "DATABASE_URL", "SPMS_DATA_DIR", "DJANGO_SETTINGS_MODULE"} & set(environment)
    assert "very secret" not in str(environment)
    assert environment["TMPDIR"] == child.cwd()


def test_what_is_printed_while_it_renders_does_not_disturb_the_messages(lasting_pool, tmp_path):
    pdf = render(lasting_pool, tmp_path, '<title>{"done": 1}</title><p>{"failed": "x"}\n{}\n')
    assert pdf.pages == 1
    with pikepdf.open(io.BytesIO((tmp_path / "page.pdf").read_bytes())) as document:
        assert document.docinfo["/Title"] == '{"done": 1}'


# Programs of their own, with Django set up and a data folder of their own.

PROGRAM = """
    import json, multiprocessing, os, sys, time
    from pathlib import Path
    import django
    django.setup()
    import psutil
    from django.conf import settings
    from documents.infrastructure import storage
    from documents.rendering import pool
    from documents.rendering.protocol import RenderJob

    folder = Path(settings.SPMS_DATA_DIR)

    def render(name, html="<p>x", report=lambda phase, pages: None):
        page = folder / f"{name}.html"
        page.write_text(html)
        job = RenderJob(html_path=str(page), pdf_path=str(page.with_suffix(".pdf")))
        return pool.get_pool().render(job, deadline=time.monotonic() + 60, report=report)

    def pids():
        children = psutil.Process().children()
        return [child.pid for child in children if "documents.rendering.child" in child.cmdline()]

    def tell(**facts):
        print(json.dumps(facts), flush=True)
"""


def start(folder, body):
    """Start a program that has the helpers above, in a data folder of its own."""
    environment = {
        "PATH": os.environ["PATH"],
        "SPMS_DATA_DIR": str(folder),
        "SPMS_RENDER_SLOTS": "2",
        "DJANGO_SETTINGS_MODULE": "spms.settings",
        "PYTHONPATH": str(ROOT),
    }
    program = textwrap.dedent(PROGRAM) + textwrap.dedent(body)
    return subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True
    )


def told_by(folder, body):
    with start(folder, body) as program:
        told, _ = program.communicate(timeout=300)
    assert program.returncode == 0
    return [json.loads(line) for line in told.splitlines()]


RENDER_FOR_LONG = """
    def report(phase, pages):
        if phase == "layout":
            tell(pids=pids())

    with storage.workspace() as work:
        (work / "document.pdf").write_bytes(b"half of it")
        render("long", f"<p>{'The survey covered forty transects of the meadow. ' * 20}</p>" * 600, report)
"""


class KilledParent(NamedTuple):
    """A data folder, the children of the program that was killed there amid a render, and what it left behind."""

    folder: Path
    pids: list[int]
    left: list[Path]


@pytest.fixture(scope="module")
def killed_parent(tmp_path_factory):
    folder = tmp_path_factory.mktemp("killed")
    with start(folder, RENDER_FOR_LONG) as program:
        pids = json.loads(program.stdout.readline())["pids"]
        program.kill()
    return KilledParent(folder, pids, [*folder.glob("run/*/child-*"), *folder.glob("work/**/document.pdf")])


@pytest.fixture(scope="module")
def pages_of_the_next(killed_parent):
    """The pages of three renders of the program that was started next."""
    [told] = told_by(killed_parent.folder, "tell(pages=[render(str(n)).pages for n in range(3)])")
    return told["pages"]


def test_no_child_outlives_a_parent_that_is_killed(killed_parent):
    assert killed_parent.pids
    wait_for(lambda: all(map(is_gone, killed_parent.pids)), promised(3))


def test_a_slot_of_a_killed_parent_is_free_again(pages_of_the_next):
    assert pages_of_the_next == [1, 1, 1]


@pytest.mark.usefixtures("pages_of_the_next")
@pytest.mark.parametrize("name", ["child-", "document.pdf"], ids=["folders of children", "half a result"])
def test_what_a_killed_parent_left_is_swept(killed_parent, name):
    left = [path for path in killed_parent.left if path.name.startswith(name)]
    assert left
    assert not any(path.exists() for path in left)


def test_a_program_that_ends_takes_its_children_and_folders_with_it(tmp_path):
    [told] = told_by(tmp_path, "pool.get_pool().warm(); render('page'); tell(pids=pids())")
    assert len(told["pids"]) == 2
    assert all(map(is_gone, told["pids"]))
    assert not list(tmp_path.glob("run/*/child-*"))


def test_a_daemonic_process_renders_as_the_workers_of_a_queue_do(tmp_path):
    body = """
        def work():
            assert multiprocessing.current_process().daemon
            tell(pages=render("daemonic").pages, pids=pids())

        worker = multiprocessing.get_context("fork").Process(target=work, daemon=True)
        worker.start()
        worker.join(120)
        assert worker.exitcode == 0
    """
    [told] = told_by(tmp_path, body)
    assert told["pages"] == 1
    assert len(told["pids"]) == 1
    wait_for(lambda: all(map(is_gone, told["pids"])), promised(3))


def test_a_forked_process_gets_children_of_its_own(tmp_path):
    body = """
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # forking beside threads is what is tried here
        render("parent")
        before = pids()
        if (forked := os.fork()) == 0:
            pages = [render(f"forked-{n}").pages for n in range(2)]
            tell(who="forked", pages=pages, pids=pids())
            pool.close_pool()
            os._exit(0)
        os.waitpid(forked, 0)
        render("parent")
        tell(who="parent", before=before, pids=pids())
    """
    forked, parent = told_by(tmp_path, body)
    assert forked["pages"] == [1, 1]
    assert len(forked["pids"]) == 1
    assert parent["before"] == parent["pids"]
    assert not set(forked["pids"]) & set(parent["pids"])
