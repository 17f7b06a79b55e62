"""An annual report made from parts is the one that a single render makes, and a change draws one part only."""

import contextlib
import time
from collections import Counter
from datetime import timedelta
from itertools import pairwise
from typing import NamedTuple

import pikepdf
import pytest
from django.conf import settings
from django.utils import timezone
from PIL import ImageChops

from documents import exceptions
from documents.content import editions
from documents.infrastructure import slot_queue, storage
from documents.infrastructure.slot_queue import Priority, Turn
from documents.models import BusinessArea, Document, DrawnPart, Task
from documents.queue.registry import TaskContext, TaskOutput
from documents.tasks import maintenance
from documents.tasks.pdf import annual_report, part_cache, task as pdf_task
from tests import factories
from tests.acceptance.annual_reports import (
    CHAPTERS,
    PARTS,
    chapter,
    make,
    report_of_nine_chapters,
    stop_clock,
    with_text,
)
from tests.acceptance.pdf_files import (
    boxes,
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
from tests.rows import delete_rows

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def report(owner, settings):
    settings.SPMS_RENDER_TIMEOUT = 300.0
    return report_of_nine_chapters(owner)


class BothWays(NamedTuple):
    """The PDF of one report from a single render and from parts, and the fingerprint of the report."""

    whole: TaskOutput
    bound: TaskOutput
    fingerprint: str


@pytest.fixture(scope="module")
def both(django_db_setup, django_db_blocker):
    """The report of nine chapters, made once for all who compare or read it; its rows are gone, its files not."""
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch:
        stop_clock(patch)
        patch.setattr(settings, "SPMS_RENDER_TIMEOUT", 300.0)
        owner = factories.user("owner")
        report = report_of_nine_chapters(owner)
        bound = make(report, owner)
        patch.setattr(annual_report, "MIN_CHAPTERS", 10_000)
        both_ways = BothWays(make(report, owner), bound, pdf_task.fingerprint(report))
        delete_rows()
    return both_ways


@pytest.fixture
def as_a_whole(monkeypatch):
    def as_a_whole(document, user):
        with monkeypatch.context() as patch:
            patch.setattr(annual_report, "MIN_CHAPTERS", 10_000)
            return make(document, user)

    return as_a_whole


def test_a_report_from_parts_shows_what_a_single_render_shows(both):
    whole, bound, fingerprint = both
    assert (bound.metadata["parts"], bound.metadata["parts_drawn"]) == (PARTS, PARTS)
    assert "parts" not in whole.metadata
    assert bound.fingerprint == whole.fingerprint == fingerprint
    assert texts(bound) == texts(whole)
    for page, other in zip(shown(bound), shown(whole), strict=True):
        pictures = [side.render(scale=0.7).to_pil().convert("L") for side in (page, other)]
        visible = ImageChops.difference(*pictures).point(lambda value: 255 * (value > 32))
        assert visible.getbbox() is None  # below that it is a rounded edge, which no eye sees
    assert bound.file.size_bytes < whole.file.size_bytes * 1.05


def test_outline_places_and_links_are_those_of_a_single_render(both):
    whole, bound = opened(both.whole), opened(both.bound)
    assert outline(bound) == outline(whole)
    assert places(bound) == places(whole)
    assert links(bound) == links(whole)
    assert {target for _, target in links(bound)} <= set(places(bound))
    assert len({target for page, target in links(bound) if page > 1}) == 1  # the link in a chapter


def test_it_is_described_marked_and_cut_as_a_single_render_is(both):
    whole, bound = opened(both.whole), opened(both.bound)
    assert {**bound.docinfo} == {**whole.docinfo}
    for pdf_file in (whole, bound):
        assert (str(pdf_file.Root.Lang), bool(pdf_file.Root.MarkInfo.Marked)) == ("en-AU", True)
        assert pdf_file.open_metadata()["pdfuaid:part"] == "1"
        assert pdf_file.pdf_version == "1.7"
        assert boxes(pdf_file) == {(0, 0, 595, 842)}  # A4, of which nothing is cut


def test_each_font_is_embedded_once(both):
    bound = opened(both.bound)
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


def test_the_tags_are_those_of_a_single_render(both):
    whole, bound = opened(both.whole), opened(both.bound)
    assert [(kind, page) for kind, page, _ in elements(bound)] == [
        (kind, page) for kind, page, _ in elements(whole)
    ]
    heads = [element for kind, _, element in elements(bound) if kind == "/TH"]
    assert len(heads) > CHAPTERS
    assert {str(head.A.Scope) for head in heads} == {"/Row", "/Column"}


def test_every_piece_of_text_has_its_element_in_the_order_of_the_pages(both):
    bound = opened(both.bound)
    parents = numbers(bound)
    assert sorted(parents) == list(range(len(parents)))
    pages = {page.objgen: number for number, page in enumerate(bound.pages)}
    marks = [
        (pages[page], mark, element) for _, _, element in elements(bound) for page, mark in marks_of(element)
    ]
    assert len(marks) == len({(page, mark) for page, mark, _ in marks})
    in_tree = {(page, mark): element.objgen for page, mark, element in marks}
    for number, page in enumerate(bound.pages):
        for mark, element in enumerate(parents[int(page.obj.StructParents)]):
            assert in_tree.get((number, mark)) == (element.objgen if element is not None else None)
    assert all(a <= b for a, b in pairwise(number for _, number, element in elements(bound)))
    for page in bound.pages:
        for annotation in page.obj.get("/Annots", ()):
            assert parents[int(annotation.StructParent)].S == "/Link"


def test_a_dead_link_to_another_chapter_is_a_text_in_both_modes(report, owner, as_a_whole):
    with_text("SP-3", '<p>See <a href="#report-999999">a chapter that was withdrawn</a>.</p>')
    whole, bound = opened(as_a_whole(report, owner)), opened(make(report, owner))
    assert links(bound) == links(whole)
    targets = [kid for kind, _, element in elements(bound) if kind == "/Link" for kid in element.K]
    references = [
        kid for kid in targets if isinstance(kid, pikepdf.Dictionary) and kid.get("/Type") == "/OBJR"
    ]
    assert len(references) == len(links(bound))


def test_a_changed_chapter_is_the_only_one_that_is_drawn_again(report, owner):
    first = make(report, owner)
    assert make(report, owner).metadata["parts_drawn"] == 0
    with_text("SP-3", factories.long_text(40))
    longer = make(report, owner)
    assert (longer.metadata["parts_drawn"], DrawnPart.objects.count()) == (1, PARTS + 1)
    grown = longer.metadata["pages"] - first.metadata["pages"]
    assert grown > 1
    last = texts(longer)[-1]
    assert last[-4:] == ["Page", str(longer.metadata["pages"]), "of", str(longer.metadata["pages"])]
    before, after = (dict(title_and_page(pdf)) for pdf in (first, longer))
    assert {after[title] - before[title] for title in before} == {0, grown}


def test_its_wait_for_a_render_slot_is_no_part_of_its_duration(report, owner, settings):
    wait_seconds, count, asked_at = 2.0, settings.SPMS_RENDER_SLOTS, []
    turn, begun_at = Turn(priority=Priority.REQUEST), time.monotonic()
    with contextlib.ExitStack() as others:
        for _ in range(count):
            slots = slot_queue.render_slots_folder()
            others.enter_context(
                slot_queue.acquire_slot(slots, count, turn=turn, deadline=begun_at + 300, tick=lambda: None)
            )

        def give_back(phase, _pages):
            if phase == "layout":  # from here it waits
                asked_at.append(time.monotonic())
                if asked_at[-1] > asked_at[0] + wait_seconds:
                    others.close()

        seconds = make(report, owner, report=give_back).metadata["seconds"]
    assert 0 < seconds < time.monotonic() - begun_at - wait_seconds / 2


def test_a_changed_report_equals_a_new_one(report, owner, same_moment):
    make(report, owner)
    with_text("SP-3", "<p>Short.</p>")
    changed = make(report, owner)
    DrawnPart.objects.all().delete()
    assert changed.file.digest == make(report, owner).file.digest


def test_another_edition_takes_the_chapters_that_are_drawn(report, owner):
    make(report, owner)
    chapter(owner, 11, BusinessArea.objects.get(name="Forests"))
    Document.objects.filter(project__tag="SP-11").update(status="in_review")
    task = Task.objects.create(
        kind="pdf", document=report, requested_by=owner, fingerprint="x", arguments={"reports": editions.ALL}
    )
    everything = pdf_task.render(
        TaskContext(task=task, deadline=time.monotonic() + 300, report=lambda *_: None)
    )
    assert (everything.metadata["parts"], everything.metadata["parts_drawn"]) == (PARTS + 1, 1)


def test_parts_are_taken_from_a_storage_that_is_no_folder(report, owner, settings, same_moment):
    bucket = {"BACKEND": "tests.acceptance.annual_reports.Bucket"}
    settings.STORAGES = settings.STORAGES | {"results": bucket}
    first = make(report, owner)
    again = make(report, owner)
    assert (again.metadata["parts_drawn"], texts(again)) == (0, texts(first))


def test_a_short_report_is_made_as_a_whole(owner):
    short = factories.document(kind="annual_report")
    result = make(short, owner)
    assert "parts" not in result.metadata
    assert not DrawnPart.objects.exists()


def test_a_report_is_made_as_a_whole_when_weasyprint_is_another(report, owner, monkeypatch):
    def make_from_parts(*_, **__):
        raise exceptions.AssemblyUnsupported("WeasyPrint has no draw_text any more.")

    monkeypatch.setattr(annual_report, "assemble", make_from_parts)
    assert make(report, owner).metadata["pages"] > CHAPTERS


def test_weasyprint_has_all_that_drawing_in_parts_needs():
    """When this fails, look what became of it, see ``hooks``, and compare parts and whole again."""
    from documents.rendering import weasyprint_internals  # WeasyPrint takes a second to import

    assert weasyprint_internals.missing_internals() == []


def test_parts_that_no_report_uses_any_more_are_removed(report, owner, monkeypatch):
    monkeypatch.setattr(maintenance, "UNFINISHED", timedelta())
    make(report, owner)
    with_text("SP-3", "<p>Short.</p>")
    make(report, owner)
    Document.objects.get(project__tag="SP-7").delete()
    old = DrawnPart.objects.filter(document__project__tag="SP-3").earliest("used_at")
    DrawnPart.objects.filter(pk=old.pk).update(used_at=timezone.now() - timedelta(days=91))
    used_files = list(DrawnPart.objects.exclude(pk=old.pk).values_list("file", flat=True))
    outcome = maintenance.clean_up(TaskContext(task=Task(), deadline=0, report=lambda *_: None))
    assert outcome.metadata["parts"] == 1
    assert not storage.exists(old.file)
    assert all(map(storage.exists, used_files))
    left = [name for name in storage.iter_names(storage.results()) if name.endswith(part_cache.SUFFIX)]
    assert sorted(left) == sorted(used_files)
    assert make(report, owner).metadata["parts_drawn"] == 0
