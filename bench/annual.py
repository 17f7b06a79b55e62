"""The measurement of the annual report: from parts beside a single render, and beside warm Chromium."""

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from unittest import mock

import psutil
import pypdfium2
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import override_settings
from django.utils import timezone
from PIL import ImageChops

from bench.clients import FONTS, Bench, html_file, seconds
from bench.memory import MEGABYTE, peak_bytes, reset_peak
from bench.report import Row
from bench.server import cpu_seconds, wait_until_quiet
from documents.infrastructure import storage
from documents.models import Document, DrawnPart, Task
from documents.queue import lifecycle
from documents.rendering import pool
from documents.tasks.pdf import annual_report as report_parts, task as pdf_task

TURNS = 3
DEADLINE_SECONDS = 600.0
SCALE = 0.5  # 36 dots an inch: half a million pixels of a page, on which a moved letter shows
VISIBLE = 32  # of 255: below that a rounded edge differs, which no eye sees
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@dataclass(frozen=True, kw_only=True)
class ReportRun:
    """One run: its time, its CPU time, the peak memory of the largest process, and its task.

    ``waited_seconds`` is the longest time that a child was ready to run but had no core.
    """

    seconds: float
    cpu_seconds: float
    waited_seconds: float
    peak_bytes: int
    task: Task


@dataclass(frozen=True, kw_only=True)
class Turn:
    """The three ways, one after the other; Chromium's seconds are None where it is not installed."""

    single: ReportRun
    first: ReportRun
    changed: ReportRun
    chromium_seconds: float | None


def annual_report(bench: Bench) -> Iterator[Row]:
    """Measure the report of 200 chapters: as a whole, from parts, after a change, and in Chromium."""
    if bench.is_quick:
        yield Row(criterion="the annual report of 200 chapters", measured="not measured (--quick)")
        return
    report = Document.objects.get(pk=bench.documents.annual)
    now = timezone.localtime()  # the cover shows the date, which must not differ
    with (
        mock.patch.object(timezone, "localtime", return_value=now),
        override_settings(SPMS_RENDER_TIMEOUT=DEADLINE_SECONDS),
        chromium(html_file(bench.folder, report.pk)) as print_in_chromium,
    ):
        turns = [_turn(report, print_in_chromium) for _ in range(TURNS)]
    single, first = turns[-1].single.task, turns[-1].first.task
    yield from _speed(turns)
    yield _memory(turns)
    sizes = [Path(storage.results().path(task.file)).stat().st_size for task in (first, single)]
    yield Row(
        criterion="file size, compared with the single render's",
        goal="within 5 %",
        measured=f"{sizes[0] / sizes[1] - 1:+.1%} ({sizes[0] / MEGABYTE:.2f} MB to {sizes[1] / MEGABYTE:.2f} MB)",
        is_met=abs(sizes[0] / sizes[1] - 1) <= 0.05,
    )
    yield _pixels(first, single)


def _turn(report: Document, print_in_chromium: Callable[[], None] | None) -> Turn:
    """Make the report in each way, with a fresh pool for each, so that the peaks are separate."""
    DrawnPart.objects.all().delete()
    with mock.patch.object(report_parts, "MIN_CHAPTERS", 10_000), _own_pool():
        single = _make(report)
    with _own_pool():
        first = _make(report)
        _change_a_chapter(report)
        changed = _make(report)
    in_chromium = seconds(print_in_chromium) if print_in_chromium else None
    return Turn(single=single, first=first, changed=changed, chromium_seconds=in_chromium)


def _change_a_chapter(report: Document) -> None:
    chapter = Document.objects.filter(kind="progress_report", year=report.year)[50]
    chapter.sections["aims"] += "<p>One sentence more.</p>"
    chapter.save(update_fields=["sections"])


def _make(report: Document) -> ReportRun:
    children = psutil.Process().children()
    for child in children:
        reset_peak(child)
    begun = sum(map(cpu_seconds, children)) + time.process_time()
    waited = {child.pid: _waited_seconds(child) for child in children}
    user = User.objects.get(username="bench")
    task, _ = lifecycle.get_or_create(pdf_task.request_for(report), user=user)
    taken = seconds(lambda: lifecycle.run(task.pk, deadline=time.monotonic() + DEADLINE_SECONDS))
    task.refresh_from_db()
    assert task.status == Task.Status.SUCCEEDED, task.error
    return ReportRun(
        seconds=taken,
        cpu_seconds=sum(map(cpu_seconds, children)) + time.process_time() - begun,
        waited_seconds=max(_waited_seconds(child) - waited[child.pid] for child in children),
        peak_bytes=max(map(peak_bytes, children)),
        task=task,
    )


def _waited_seconds(process: psutil.Process) -> float:
    return int(Path(f"/proc/{process.pid}/schedstat").read_text().split()[1]) / 1e9


@contextlib.contextmanager
def _own_pool() -> Iterator[None]:
    pool.close_pool()
    pool.get_pool().warm()
    wait_until_quiet(psutil.Process())
    try:
        yield
    finally:
        pool.close_pool()


@contextlib.contextmanager
def chromium(html: Path) -> Iterator[Callable[[], None] | None]:
    """Keep a warm Chromium that prints this file to a PDF when called; None where it is not installed."""
    if CHROMIUM is None:
        yield None
        return
    from playwright.sync_api import sync_playwright

    connection.close()  # Playwright runs an event loop, in which Django would refuse this connection
    with sync_playwright() as playwright, mock.patch.dict("os.environ", DJANGO_ALLOW_ASYNC_UNSAFE="true"):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], env={**FONTS})
        page = browser.new_page()

        def print_it() -> None:
            page.goto(html.as_uri())
            page.pdf(path=html.with_suffix(".chromium.pdf"), prefer_css_page_size=True, print_background=True)

        print_it()
        try:
            yield print_it
        finally:
            browser.close()


def _speed(turns: list[Turn]) -> Iterator[Row]:
    first = median(turn.first.seconds / turn.single.seconds for turn in turns)
    changed = median(turn.changed.seconds / turn.single.seconds for turn in turns)
    alone = median(_alone(turn.first) / _alone(turn.single) for turn in turns)
    yield Row(
        criterion="first render, compared with a single render",
        goal="≤ 0.55",
        measured=f"{first:.2f} ({_both(turns, 'single')} to {_both(turns, 'first')}); without the time in which "
        f"other work had the cores: {alone:.2f}",
        is_met=first <= 0.55,
    )
    yield Row(
        criterion="after one chapter was changed",
        goal="≤ 0.10",
        measured=f"{changed:.3f} ({_both(turns, 'changed')})",
        is_met=changed <= 0.10,
    )
    browser = [turn.chromium_seconds for turn in turns if turn.chromium_seconds is not None]
    if not browser:
        yield Row(
            criterion="the same, compared with warm Chromium", measured="not measured: no Chromium here"
        )
        return
    ours = median(turn.changed.seconds for turn in turns)
    yield Row(
        criterion="the same, compared with warm Chromium",
        goal="less",
        measured=f"{ours:.2f} s to {median(browser):.2f} s",
        is_met=ours < median(browser),
    )


def _alone(measured: ReportRun) -> float:
    return measured.seconds - measured.waited_seconds


def _both(turns: list[Turn], way: str) -> str:
    runs: list[ReportRun] = [getattr(turn, way) for turn in turns]
    time_s, computing_s = median(run.seconds for run in runs), median(run.cpu_seconds for run in runs)
    return f"{time_s:.1f} s, CPU {computing_s:.1f} s"


def _memory(turns: list[Turn]) -> Row:
    parts = max(max(turn.first.peak_bytes, turn.changed.peak_bytes) for turn in turns)
    single = median(turn.single.peak_bytes for turn in turns)
    return Row(
        criterion="peak memory of the largest process, compared with the single render's",
        goal="≤ 0.60",
        measured=f"{parts / single:.2f} ({parts / MEGABYTE:.0f} MB to {single / MEGABYTE:.0f} MB)",
        is_met=parts / single <= 0.6,
    )


def _pixels(first: Task, single: Task) -> Row:
    """Compare every page with that of the single render."""
    both = [pypdfium2.PdfDocument(storage.results().path(task.file)) for task in (first, single)]
    assert len(both[0]) == len(both[1])
    worst, unlike = 0, 0
    for pages in zip(*both, strict=True):
        pictures = [page.render(scale=SCALE).to_pil().convert("L") for page in pages]
        counts = ImageChops.difference(*pictures).histogram()
        difference = max(value for value, count in enumerate(counts) if count)
        worst, unlike = max(worst, difference), unlike + (difference > VISIBLE)
    return Row(
        criterion=f"pages that differ from the single render, at {72 * SCALE:.0f} dots an inch",
        goal="0",
        measured=f"{unlike} of {len(both[0])} (largest difference of a pixel: {worst} of 255)",
        is_met=unlike == 0,
    )
