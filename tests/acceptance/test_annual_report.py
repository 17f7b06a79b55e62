"""An annual report made from parts is the one that a single render makes, and a change draws one part only."""

import hashlib
import io
import os
import signal
import time
from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pikepdf
import psutil
import pytest
from django.utils import timezone
from PIL import ImageChops

from documents import annual, drawn_parts, editions, errors, handlers, maintenance, pdf, store, tasks
from documents.models import BusinessArea, Document, DocumentImage, DrawnPart, Task
from documents.rendering import hooks
from tests import factories
from tests.acceptance.pdf_files import (
    elements,
    links,
    marks_of,
    numbers,
    opened,
    outline,
    places,
    shown,
    texts,
    title_and_page,
)

pytestmark = pytest.mark.django_db(transaction=True)
CHAPTERS = 9
PARTS = CHAPTERS + 5 + 1  # the sections of its own, and the list of external projects
TABLE = (
    "<table><thead><tr><th>Site</th><th>Cover</th></tr></thead><tbody><tr><td>Bay</td><td>12</td></tr></tbody>"
    "</table>"
)
TOO_DEEP = "<div>" * 3000


@pytest.fixture
def report(owner, settings):
    """An annual report of nine chapters in two areas, with an image, a table, a list and a link to another chapter."""
    settings.SPMS_RENDER_TIMEOUT = 60.0
    areas = [BusinessArea.objects.create(name=name, leader=owner) for name in ("Forests", "Marine Science")]
    for number in range(CHAPTERS - 1):
        chapter(owner, number, areas[number % 2])
    student = factories.project(owner, tag="STP-1", business_area=areas[0], kind="student")
    text = {"progress_report": "<p>A thesis on <em>seagrass</em>.</p>"}
    factories.document(project=student, kind="student_report", status="approved", sections=text)
    factories.project(owner, kind="external", status="active", title="A partnership", business_area=areas[1])
    return factories.document(
        kind="annual_report", sections={"directors_message": f"<p>Welcome to ﬁne work.</p>{TABLE}"}
    )


def chapter(owner, number, area):
    project = factories.project(owner, tag=f"SP-{number}", title=f"Project {number}", business_area=area)
    made = factories.document(project=project, kind="progress_report", status="approved")
    sections = {"context": factories.long_text(1 + number), "aims": f"<p>To see bay {number}.</p>{TABLE}"}
    if number == 2:
        image = factories.image(made)
        first = Document.objects.filter(kind="progress_report").earliest("pk")
        sections["progress"] = (
            f'<ul><li>One <a href="#report-{first.pk}">chapter</a></li><li>Two</li></ul>'
            f'<figure><img src="{image.url}" alt="A bay"><figcaption>A bay</figcaption></figure>'
        )
    Document.objects.filter(pk=made.pk).update(sections=sections)
    return made


def make(document, user, *, report=lambda phase, pages: None, seconds=60.0):
    """Make the PDF and return what the task got of it."""
    task = Task.objects.create(kind="pdf", document=document, requested_by=user, fingerprint=str(time.time()))
    return pdf.render(tasks.Attempt(task=task, deadline=time.monotonic() + seconds, report=report))


@pytest.fixture
def as_a_whole(monkeypatch):
    def as_a_whole(document, user):
        with monkeypatch.context() as patch:
            patch.setattr(annual, "FEWEST_CHAPTERS", 10_000)
            return make(document, user)

    return as_a_whole


@pytest.fixture
def same_moment(monkeypatch):
    """Stop the clock that the cover shows."""
    moment = datetime(2026, 7, 1, 12, tzinfo=timezone.get_current_timezone())
    monkeypatch.setattr(timezone, "localtime", lambda *_: moment)


def test_a_report_from_parts_shows_what_a_single_render_shows(report, owner, as_a_whole, same_moment):
    whole, bound = as_a_whole(report, owner), make(report, owner)
    assert (bound.facts["parts"], bound.facts["parts_drawn"]) == (PARTS, PARTS)
    assert bound.fingerprint == whole.fingerprint == pdf.fingerprint(report)
    assert texts(bound) == texts(whole)
    for page, other in zip(shown(bound), shown(whole), strict=True):
        pictures = [one.render(scale=0.7).to_pil().convert("L") for one in (page, other)]
        visible = ImageChops.difference(*pictures).point(lambda value: 255 * (value > 32))
        assert visible.getbbox() is None  # below that it is a rounded edge, which no eye sees
    assert bound.facts["bytes"] < whole.facts["bytes"] * 1.05


def test_outline_places_and_links_are_those_of_a_single_render(report, owner, as_a_whole):
    whole, bound = opened(as_a_whole(report, owner)), opened(make(report, owner))
    assert outline(bound) == outline(whole)
    assert places(bound) == places(whole)
    assert links(bound) == links(whole)
    assert {target for _, target in links(bound)} <= set(places(bound))
    assert len({target for page, target in links(bound) if page > 1}) == 1  # the link in a chapter


def test_it_is_described_and_marked_as_a_single_render_is(report, owner, as_a_whole, same_moment):
    whole, bound = opened(as_a_whole(report, owner)), opened(make(report, owner))
    assert {**bound.docinfo} == {**whole.docinfo}
    for pdf_file in (whole, bound):
        assert (str(pdf_file.Root.Lang), bool(pdf_file.Root.MarkInfo.Marked)) == ("en-AU", True)
        assert pdf_file.open_metadata()["pdfuaid:part"] == "1"
        assert pdf_file.pdf_version == "1.7"


def test_each_font_is_embedded_once(report, owner):
    bound = opened(make(report, owner))
    names = Counter(
        str(each.FontName)
        for each in bound.objects
        if isinstance(each, pikepdf.Dictionary) and "/FontName" in each
    )
    assert len(names) > 3
    assert set(names.values()) == {1}
    assert {page.obj.Resources.Font.objgen for page in bound.pages} == {
        bound.pages[0].obj.Resources.Font.objgen
    }


def test_the_tags_are_those_of_a_single_render(report, owner, as_a_whole):
    whole, bound = opened(as_a_whole(report, owner)), opened(make(report, owner))
    assert [(kind, page) for kind, page, _ in elements(bound)] == [
        (kind, page) for kind, page, _ in elements(whole)
    ]
    heads = [str(element.ID) for _, _, element in elements(bound) if "/ID" in element]
    assert len(heads) == len(set(heads)) > CHAPTERS
    cells = [
        element
        for kind, _, element in elements(bound)
        if kind == "/TD" and "/Headers" in element.get("/A", {})
    ]
    assert {str(head) for cell in cells for head in cell.A.Headers} <= set(heads)


def test_every_piece_of_text_has_its_element_in_the_order_of_the_pages(report, owner):
    bound = opened(make(report, owner))
    parents = numbers(bound)
    assert sorted(parents) == list(range(len(parents)))
    pages = {page.objgen: number for number, page in enumerate(bound.pages)}
    marks = [(number, mark) for _, number, element in elements(bound) for mark in marks_of(element)]
    assert len(marks) == len(set(marks))
    in_tree = Counter(number for number, _ in marks)
    for number, page in enumerate(bound.pages):
        found = parents[int(page.obj.StructParents)]
        margins = 4 if number == 1 else 0  # those that WeasyPrint drew itself stand beside the tree
        assert len(found) - in_tree[number] <= margins
        for element in found:
            assert pages[element.Pg.objgen] == number
    assert all(a <= b for a, b in pairwise(number for _, number, element in elements(bound)))
    for page in bound.pages:
        for annotation in page.obj.get("/Annots", ()):
            assert parents[int(annotation.StructParent)].S == "/Link"


def test_a_changed_chapter_is_the_only_one_that_is_drawn_again(report, owner):
    first = make(report, owner)
    assert make(report, owner).facts["parts_drawn"] == 0
    Document.objects.filter(project__tag="SP-3").update(sections={"context": factories.long_text(40)})
    longer = make(report, owner)
    assert (longer.facts["parts_drawn"], DrawnPart.objects.count()) == (1, PARTS + 1)
    grown = longer.facts["pages"] - first.facts["pages"]
    assert grown > 1
    last = texts(longer)[-1]
    assert last[-4:] == ["Page", str(longer.facts["pages"]), "of", str(longer.facts["pages"])]
    before, after = (dict(title_and_page(one)) for one in (first, longer))
    assert {after[title] - before[title] for title in before} == {0, grown}


def test_a_changed_report_equals_one_made_anew(report, owner, same_moment):
    make(report, owner)
    Document.objects.filter(project__tag="SP-3").update(sections={"context": "<p>Short.</p>"})
    changed = make(report, owner)
    DrawnPart.objects.all().delete()
    assert changed.digest == make(report, owner).digest


def test_another_edition_takes_the_chapters_that_are_drawn(report, owner):
    make(report, owner)
    chapter(owner, 11, BusinessArea.objects.get(name="Forests"))
    Document.objects.filter(project__tag="SP-11").update(status="in_review")
    task = Task.objects.create(
        kind="pdf", document=report, requested_by=owner, fingerprint="x", arguments={"reports": editions.ALL}
    )
    everything = pdf.render(tasks.Attempt(task=task, deadline=time.monotonic() + 60, report=lambda *_: None))
    assert (everything.facts["parts"], everything.facts["parts_drawn"]) == (PARTS + 1, 1)


def test_a_short_report_is_made_as_a_whole(owner):
    short = factories.document(kind="annual_report")
    made = make(short, owner)
    assert "parts" not in made.facts
    assert not DrawnPart.objects.exists()


def test_a_report_is_made_as_a_whole_when_weasyprint_is_another(report, owner, monkeypatch):
    def make_from_parts(*_, **__):
        raise errors.BindingUnsupported("WeasyPrint has no draw_text any more.")

    monkeypatch.setattr(annual, "make", make_from_parts)
    assert make(report, owner).facts["pages"] > CHAPTERS


def test_weasyprint_has_all_that_drawing_in_parts_needs():
    """When this fails, look what became of it, see ``hooks``, and compare parts and whole again."""
    assert hooks.moved() == []


def test_a_chapter_that_cannot_be_laid_out_is_named(report, owner):
    Document.objects.filter(project__tag="SP-5").update(sections={"context": TOO_DEEP})
    with pytest.raises(errors.Unrenderable, match=r"^In SP-5: Its elements are nested too deeply\.$"):
        make(report, owner)
    assert not DrawnPart.objects.filter(document__project__tag="SP-5").exists()
    Document.objects.filter(project__tag="SP-5").update(sections={"context": "<p>Well.</p>"})
    assert make(report, owner).facts["parts"] == PARTS


def test_a_chapter_without_end_hits_the_deadline_and_is_named(report, owner):
    Document.objects.filter(project__tag="SP-5").update(sections={"context": factories.long_text(3000)})
    started = time.monotonic()
    with pytest.raises(errors.RenderTimeout, match=r"^In SP-5: "):
        make(report, owner, seconds=8)
    assert time.monotonic() - started < 12


def test_a_child_that_is_killed_costs_no_chapter(report, owner):
    killed: list[psutil.Process] = []

    def kill_once(phase, pages):
        if phase == "layout" and pages and not killed:
            killed.extend(rendering_processes())
            for process in killed:
                os.kill(process.pid, signal.SIGKILL)

    made = make(report, owner, report=kill_once)
    assert killed
    assert texts(made) == texts(make(report, owner))


def test_a_cancelled_report_stops_its_children(report, owner):
    def cancel(phase, pages):
        if phase == "layout" and pages:
            raise handlers.ClaimLost

    with pytest.raises(handlers.ClaimLost):
        make(report, owner, report=cancel)
    deadline = time.monotonic() + 10
    while any(process.cpu_percent(0.2) > 50 for process in rendering_processes()):
        assert time.monotonic() < deadline
    assert make(report, owner).facts["parts"] == PARTS


def test_a_chapter_without_its_image_says_so_and_is_not_kept(report, owner):
    image = DocumentImage.objects.get()
    name = str(image.file)
    with image.file.storage.open(name) as stream:
        content = stream.read()
    image.file.storage.delete(name)
    lacking = make(report, owner)
    assert lacking.facts["warnings"] == ["1 image(s) could not be shown; upload them to this document."]
    assert make(report, owner).facts["parts_drawn"] == 1
    image.file.storage.save(name, io.BytesIO(content))
    assert make(report, owner).facts["warnings"] == []
    assert make(report, owner).facts["parts_drawn"] == 0


def test_characters_without_a_glyph_are_counted_in_chapters_that_were_kept_too(report, owner):
    for tag, text in (("SP-1", "漢字"), ("SP-4", "字漢漢")):
        Document.objects.filter(project__tag=tag).update(sections={"context": f"<p>{text}</p>"})
    warnings = ["5 character(s) are in none of our fonts and print as boxes."]
    assert [make(report, owner).facts["warnings"] for _ in range(2)] == [warnings, warnings]
    words = [word for page in texts(make(report, owner)) for word in page]
    assert {"漢字", "字漢漢"} <= set(words)


def test_parts_that_no_report_uses_any_more_are_removed(report, owner, monkeypatch):
    monkeypatch.setattr(maintenance, "UNFINISHED", timedelta())
    make(report, owner)
    Document.objects.filter(project__tag="SP-3").update(sections={"context": "<p>Short.</p>"})
    make(report, owner)
    Document.objects.get(project__tag="SP-7").delete()
    old = DrawnPart.objects.filter(document__project__tag="SP-3").earliest("used_at")
    DrawnPart.objects.filter(pk=old.pk).update(used_at=timezone.now() - timedelta(days=91))
    kept = list(DrawnPart.objects.exclude(pk=old.pk).values_list("file", flat=True))
    outcome = maintenance.remove_old(tasks.Attempt(task=Task(), deadline=0, report=lambda *_: None))
    assert outcome.facts["parts"] == 1
    assert not store.exists(old.file)
    assert all(map(store.exists, kept))
    left = [name for name in maintenance.walk(store.results()) if name.endswith(drawn_parts.SUFFIX)]
    assert sorted(left) == sorted(kept)
    assert make(report, owner).facts["parts_drawn"] == 0


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(b"%PDF-1.7 and no more")])
def test_a_part_whose_file_is_gone_or_damaged_is_drawn_again(report, owner, harm):
    first = make(report, owner)
    harm(Path(store.results().path(DrawnPart.objects.get(document__project__tag="SP-3").file)))
    again = make(report, owner)
    assert (again.facts["parts_drawn"], texts(again)) == (1, texts(first))
    assert make(report, owner).facts["parts_drawn"] == 0


def test_parts_that_cannot_be_bound_cost_one_render_as_a_whole(report, owner):
    first = make(report, owner)
    part = DrawnPart.objects.get(document__project__tag="SP-3")
    path = Path(store.results().path(part.file))
    path.write_bytes(b"%PDF-1.7 and no more")
    DrawnPart.objects.update(digest=hashlib.sha256(path.read_bytes()).hexdigest())  # it is taken for sound
    for other in DrawnPart.objects.all():
        Path(store.results().path(other.file)).write_bytes(path.read_bytes())
    whole = make(report, owner)
    assert ("parts" in whole.facts, texts(whole)) == (False, texts(first))
    assert make(report, owner).facts["parts_drawn"] == PARTS


def test_a_part_of_a_document_that_was_deleted_meanwhile_is_not_kept(report, owner, tmp_path):
    (tmp_path / "part.pdf").write_bytes(b"%PDF")
    new = drawn_parts.New(
        fingerprint="f", document_id=report.pk + 1000, path=tmp_path / "part.pdf", digest="d"
    )
    assert drawn_parts.keep([new])["f"].exists()
    assert not DrawnPart.objects.exists()


def rendering_processes():
    return [
        process
        for process in psutil.Process().children()
        if process.status() != psutil.STATUS_ZOMBIE and "documents.rendering.child" in process.cmdline()
    ]
