"""What can go wrong while an annual report is made from parts: its chapter is named, and nothing half-made is kept."""

import hashlib
import io
import os
import re
import signal
import time
from pathlib import Path

import psutil
import pytest

from documents import exceptions
from documents.content import editions
from documents.content.editions import Edition
from documents.infrastructure import storage
from documents.models import Document, DocumentImage, DrawnPart
from documents.queue import registry
from documents.rendering import parallel, pool
from documents.tasks.pdf import annual_report, part_cache
from tests import factories
from tests.acceptance.annual_reports import PARTS, make, report_of_nine_chapters, with_text
from tests.acceptance.pdf_files import (
    texts,
)
from tests.waiting import promised, wait_for

pytestmark = pytest.mark.django_db(transaction=True)
TOO_DEEP = "<div>" * 3000
NOTE = "This chapter could not be laid out and is not printed here."
GREEDY = (
    "<style>@counter-style s { system: symbolic; symbols: x } b { counter-reset: c 20000000 }"
    "b::before { content: counter(c, s) }</style><b>x</b>"
)


def sentences(output):
    return [warning["text"] for warning in output.metadata["warnings"]]


@pytest.fixture
def report(owner, settings):
    settings.SPMS_RENDER_TIMEOUT = 300.0
    return report_of_nine_chapters(owner)


def test_a_chapter_that_cannot_be_laid_out_has_a_note_in_its_place_and_is_named(report, owner):
    with_text("SP-5", TOO_DEEP)
    noted = make(report, owner)
    assert sentences(noted) == [
        "In SP-5: Its elements are nested too deeply. A note is printed in its place."
    ]
    assert noted.message == sentences(noted)[0]
    words = [" ".join(page) for page in texts(noted)]
    [page] = [page for page in words if NOTE in page]
    assert "Project 5 SP-5" in page
    assert [f"To see bay {number}." in "".join(words) for number in (4, 5, 6)] == [True, False, True]
    assert not DrawnPart.objects.filter(document__project__tag="SP-5").exists()
    with_text("SP-5", "<p>Well.</p>")
    mended = make(report, owner)
    assert (mended.metadata["parts"], sentences(mended)) == (PARTS, [])


def test_several_chapters_that_cannot_be_laid_out_and_an_own_section_are_all_named(report, owner):
    for tag in ("SP-0", "SP-2", "SP-4"):
        with_text(tag, TOO_DEEP)
    Document.objects.filter(project__tag="STP-1").update(sections={"progress_report": TOO_DEEP})
    Document.objects.filter(pk=report.pk).update(sections={"directors_message": TOO_DEEP})
    warnings = sentences(make(report, owner))
    assert {warning.partition(":")[0] for warning in warnings} == {
        "In SP-0",
        "In SP-2",
        "In SP-4",
        "In STP-1",
        "In “Director's message”",
    }


@pytest.mark.parametrize("edition", [Edition(variant=editions.ARCHIVE), editions.DEFAULT])
def test_a_chapter_that_cannot_be_laid_out_is_named_in_every_edition(report, owner, edition, monkeypatch):
    monkeypatch.setattr(annual_report, "MIN_CHAPTERS", 100)  # it is made as a whole
    with_text("SP-5", TOO_DEEP)
    noted = make(report, owner, edition=edition)
    assert sentences(noted) == [
        "In SP-5: Its elements are nested too deeply. A note is printed in its place."
    ]
    assert [NOTE in " ".join(page) for page in texts(noted)].count(True) == 1


def test_a_chapter_that_takes_too_long_leaves_time_for_the_others(report, owner, settings, monkeypatch):
    settings.SPMS_RENDER_TIMEOUT = 200.0
    monkeypatch.setattr(parallel, "MAX_SHARE_OF_TIME", 0.02)
    with_text("SP-5", factories.long_text(3000))
    [warning] = sentences(make(report, owner, seconds=200))
    assert warning.startswith("In SP-5: ")


def test_a_chapter_without_end_hits_the_deadline_and_is_named(report, owner):
    make(report, owner)  # all other parts are kept: at the deadline, only this one can be missing
    with_text("SP-5", factories.long_text(5000))
    started = time.monotonic()
    with pytest.raises(exceptions.RenderTimeout, match=r"^In SP-5: "):
        make(report, owner, seconds=4)
    assert time.monotonic() - started < 4 + promised(4)


def test_a_chapter_that_takes_too_much_memory_is_named(report, owner, settings):
    with_text("SP-5", GREEDY)
    settings.SPMS_RENDER_MEMORY_LIMIT = 150 * 1024**2
    pool.close_pool()  # the next one has this limit
    try:
        [warning] = sentences(make(report, owner))
    finally:
        pool.close_pool()
    assert re.match(r"In SP-5: .* 150 MiB", warning)


def test_a_child_that_is_killed_costs_no_chapter(report, owner, same_moment):
    killed: list[psutil.Process] = []

    def kill_once(phase, pages):
        if phase == "layout" and pages and not killed:
            killed.extend(rendering_processes())
            for process in killed:
                os.kill(process.pid, signal.SIGKILL)

    result = make(report, owner, report=kill_once)
    assert killed
    assert texts(result) == texts(make(report, owner))


def test_a_cancelled_report_stops_its_children(report, owner):
    def cancel(phase, pages):
        if phase == "layout" and pages:
            raise registry.LeaseLost

    with pytest.raises(registry.LeaseLost):
        make(report, owner, report=cancel)
    wait_for(lambda: all(process.cpu_percent(0.2) <= 50 for process in rendering_processes()))
    assert make(report, owner).metadata["parts"] == PARTS


def test_a_chapter_without_its_image_says_so_and_is_not_kept(report, owner):
    image = DocumentImage.objects.get()
    name = str(image.file)
    with image.file.storage.open(name) as stream:
        content = stream.read()
    image.file.storage.delete(name)
    lacking = make(report, owner)
    assert sentences(lacking) == ["1 image(s) could not be shown; upload them to this document."]
    assert make(report, owner).metadata["parts_drawn"] == 1
    image.file.storage.save(name, io.BytesIO(content))
    assert sentences(make(report, owner)) == []
    assert make(report, owner).metadata["parts_drawn"] == 0


def test_characters_without_a_glyph_are_named_in_chapters_that_were_kept_too(report, owner):
    for tag, text in (("SP-1", "\ue001\ue002"), ("SP-4", "\ue002")):
        with_text(tag, f"<p>{text}</p>")
    first, second = (sentences(make(report, owner)) for _ in range(2))
    assert first == second
    shown = {warning.partition("(")[2].partition(")")[0] for warning in first}
    assert shown == {"\ue001 \ue002", "\ue002"}
    words = [word for page in texts(make(report, owner)) for word in page]
    assert {"□□", "□"} <= set(words)


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(b"%PDF-1.7 and no more")])
def test_a_part_whose_file_is_gone_or_damaged_is_drawn_again(report, owner, harm, same_moment):
    first = make(report, owner)
    harm(Path(storage.results().path(DrawnPart.objects.get(document__project__tag="SP-3").file)))
    again = make(report, owner)
    assert (again.metadata["parts_drawn"], texts(again)) == (1, texts(first))
    assert make(report, owner).metadata["parts_drawn"] == 0


def test_parts_that_cannot_be_bound_cost_one_render_as_a_whole(report, owner, same_moment):
    first = make(report, owner)
    part = DrawnPart.objects.get(document__project__tag="SP-3")
    path = Path(storage.results().path(part.file))
    path.write_bytes(b"%PDF-1.7 and no more")
    DrawnPart.objects.update(digest=hashlib.sha256(path.read_bytes()).hexdigest())  # it is taken for sound
    for other in DrawnPart.objects.all():
        Path(storage.results().path(other.file)).write_bytes(path.read_bytes())
    whole = make(report, owner)
    assert ("parts" in whole.metadata, texts(whole)) == (False, texts(first))
    assert make(report, owner).metadata["parts_drawn"] == PARTS


def test_a_part_of_a_document_that_was_deleted_meanwhile_is_not_kept(report, owner, tmp_path):
    (tmp_path / "part.pdf").write_bytes(b"%PDF")
    new = part_cache.CacheEntry(
        fingerprint="f", document_id=report.pk + 1000, path=tmp_path / "part.pdf", digest="d"
    )
    assert part_cache.put_many([new])["f"].exists()
    assert not DrawnPart.objects.exists()


def rendering_processes():
    return [
        process
        for process in psutil.Process().children()
        if process.status() != psutil.STATUS_ZOMBIE and "documents.rendering.child" in process.cmdline()
    ]
