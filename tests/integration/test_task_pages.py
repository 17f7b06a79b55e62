"""The task pages: what runs, waits and failed, and what staff can do about it."""

import re
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from documents.models import Cluster, Failure, Task
from documents.operations import periodic
from documents.pages import task_tables
from documents.queue import failure_groups, hints, listings, statistics
from documents.tasks import alerts
from tests import factories
from tests.working import run_entries

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "/dashboard/tasks/"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def cluster():
    return Cluster.objects.create(
        name="host:1:a", workers=1, processes=[{"name": "host:1:a/7", "memory_bytes": 150 * 1024**2}]
    )


def make_task(**values):
    values = {"kind": "pdf", "fingerprint": uuid.uuid4().hex, "mode": "queue"} | values
    if values.get("status") in {"failed", "succeeded", "cancelled"}:
        values.setdefault("finished_at", timezone.now())
    return Task.objects.create(**values)


def failed(detail="The image 7 is broken.", **values):
    error = {"type": "render-failed", "title": "The PDF could not be made", "status": 500, "detail": detail}
    return make_task(status="failed", error=error, message=detail, **values)


def text(staff_pages, path=PAGE, **query):
    answer = staff_pages.get(path, query)
    assert answer.status_code == 200
    return answer.content.decode()


def pages_of(task):
    return (PAGE, f"{PAGE}now/", f"{PAGE}list/", f"{PAGE}{task.pk}/", f"{PAGE}{task.pk}/now/")


def test_they_are_for_staff_only(client, owner):
    task = make_task(requested_by=owner)
    changes = ("act/", "pause/", "resume/", "groups/x/retry/", "schedules/cleanup/run/")
    for path in pages_of(task):
        assert client.get(path).status_code == 302
    client.force_login(owner)
    for path in pages_of(task):
        assert client.get(path).status_code == 404
    for path in changes:
        assert client.post(f"{PAGE}{path}", {"action": "cancel", "task": str(task.pk)}).status_code == 404
    assert Task.objects.get().status == "queued"


def test_they_open_before_anything_was_made(staff_pages):
    said = text(staff_pages)
    for empty in ("No task is running", "No worker is alive", "No task failed", "No task matches"):
        assert empty in said


def test_what_runs_is_shown_with_its_progress_and_worker(staff_pages, plan, cluster):
    now = timezone.now()
    make_task(document=plan, status="succeeded", result={"pages": 20})
    make_task(
        document=plan, status="running", phase="layout", pages_done=10, worker="host:1:a/7", started_at=now
    )
    said = text(staff_pages)
    assert "layout, 10 pages" in said
    assert 'value="0.43"' in said
    assert "150.0\xa0MB" in said
    assert ">Idle<" not in said
    assert 'title="host:1:a/7">host, worker 1<' in said


@pytest.mark.parametrize(
    ("phase", "pages", "last", "expected"),
    [
        ("", 0, 9, None),
        ("layout", 5, None, None),
        ("layout", 99, 9, 0.8),
        ("store", 9, 9, 0.97),
        ("html", 0, 9, 0.02),
    ],
)
def test_the_share_that_is_done_grows_by_phase_and_pages(phase, pages, last, expected):
    assert task_tables.fraction(phase, pages, last) == (None if expected is None else pytest.approx(expected))


def test_waiting_times_are_those_of_the_last_hour():
    now = timezone.now()
    for waited in (1, 2, 30):
        task = make_task(status="succeeded", started_at=now)
        Task.objects.filter(pk=task.pk).update(created_at=now - timedelta(seconds=waited))
    make_task(claimable_at=now - timedelta(seconds=4))
    waits = statistics.wait_times()
    assert (waits.p50_seconds, waits.p95_seconds) == (2.0, 30.0)
    assert waits.oldest_seconds >= 4


def test_failed_tasks_are_grouped_and_a_group_is_retried_together(staff_pages, cluster):
    for number in range(3):
        failed(f"The image {number} is broken.")
    failed("The table is too deep.")
    [largest, other] = failure_groups.recent_groups()
    assert (largest.count, other.count) == (3, 1)
    assert "The image &lt;n&gt; is broken." in text(staff_pages)
    answer = staff_pages.post(f"{PAGE}groups/{largest.key}/retry/", follow=True)
    assert "Done with 3 tasks." in answer.content.decode()
    assert Task.objects.filter(status="queued").count() == OrmQ.objects.count() == 3
    assert (
        "No task of this group is failed any more"
        in staff_pages.post(f"{PAGE}groups/{largest.key}/retry/", follow=True).content.decode()
    )


def test_chosen_tasks_are_retried_or_cancelled_and_refusals_are_said(staff_pages):
    broken, queued, done = failed(), make_task(), make_task(status="succeeded")
    chosen = [str(task.pk) for task in (broken, queued, done)]
    said = staff_pages.post(f"{PAGE}act/", {"action": "cancel", "task": chosen}, follow=True).content.decode()
    assert "Done with 1 task." in said
    assert "Not with 2: It has ended already" in said
    staff_pages.post(f"{PAGE}act/", {"action": "retry", "task": chosen})
    assert sorted(Task.objects.values_list("status", flat=True)) == ["queued", "queued", "succeeded"]


@pytest.mark.parametrize(
    "values", [{}, {"action": "explode"}, {"action": "retry"}, {"action": "retry", "task": "x"}]
)
def test_nonsense_changes_nothing_and_is_answered(staff_pages, values):
    failed()
    said = staff_pages.post(f"{PAGE}act/", values, follow=True).content.decode()
    assert "Choose retry or cancel." in said or "No task was chosen." in said
    assert Task.objects.get().status == "failed"


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example.org/", "//evil.example.org", "javascript:alert(1)", "", "home", "0"]
)
def test_no_form_sends_anybody_elsewhere(staff_pages, elsewhere):
    answer = staff_pages.post(f"{PAGE}act/", {"action": "cancel", "next": elsewhere})
    assert answer["Location"] == PAGE


def test_after_an_action_the_list_is_as_it_was(staff_pages):
    here = f"{PAGE}?status=failed"
    assert staff_pages.post(f"{PAGE}act/", {"action": "retry", "next": here})["Location"] == here


def test_the_list_is_searched_and_filtered(staff_pages, plan, owner):
    mine, other = make_task(document=plan, requested_by=owner), failed(kind="notice")
    for query, expected in (
        ({"q": plan.project.tag}, mine),
        ({"q": "seagrass"}, mine),
        ({"q": "concept plan"}, mine),
        ({"q": "owner"}, mine),
        ({"q": str(other.pk)}, other),
        ({"status": "failed"}, other),
        ({"kind": "notice"}, other),
    ):
        said = text(staff_pages, f"{PAGE}list/", **query)
        assert str(expected.pk) in said, query
        assert said.count('name="task"') == 1, query
    assert "No task matches" in text(staff_pages, f"{PAGE}list/", q="nobody has this")


@pytest.mark.parametrize(
    "query",
    [
        {"status": "exploded"},
        {"after": "yesterday"},
        {"after": "2026-99-99"},
        {"kind": "essay"},
        {"sort": "beauty"},
        {"q": "\x00"},
    ],
)
def test_a_list_that_makes_no_sense_is_the_whole_list(staff_pages, query):
    make_task()
    assert text(staff_pages, f"{PAGE}list/", **query).count('name="task"') == 1


def test_older_tasks_are_a_page_away(staff_pages, monkeypatch):
    monkeypatch.setattr(listings, "PAGE_SIZE", 2)
    tasks = [make_task() for _ in range(3)]
    first = listings.page({}, "")
    assert [task.pk for task in first.tasks] == [tasks[2].pk, tasks[1].pk]
    assert [task.pk for task in listings.page({}, first.further).tasks] == [tasks[0].pk]
    assert "after=" in text(staff_pages)


def test_the_list_is_sorted_by_each_column_and_unknown_values_come_last(staff_pages, owner, monkeypatch):
    now = timezone.now()
    slow = make_task(status="succeeded", started_at=now - timedelta(seconds=9), finished_at=now)
    quick = make_task(status="failed", started_at=now - timedelta(seconds=2), finished_at=now)
    waiting = make_task(requested_by=owner, mode="inline")
    waited = {slow: 30, quick: 20, waiting: 10}
    for task, seconds in waited.items():
        created_at = (task.started_at or now) - timedelta(seconds=seconds)
        Task.objects.filter(pk=task.pk).update(created_at=created_at)
    for sort, expected in (
        ("-took", [slow, quick, waiting]),
        ("took", [quick, slow, waiting]),
        ("waited", [waiting, quick, slow]),
        ("-requested", [waiting, quick, slow]),
        ("requested", [slow, quick, waiting]),
        ("state", [quick, waiting, slow]),
        ("person", [waiting, quick, slow]),
    ):
        assert list(listings.page({}, "", sort).tasks) == expected, sort
    oldest = listings.page({}, (slow.created_at - timedelta(hours=1)).isoformat(), "requested")
    assert list(oldest.tasks) == [slow, quick, waiting]
    monkeypatch.setattr(listings, "MAX_SORTED", 2)
    assert list(listings.page({}, "", "-took").tasks) == [quick, waiting]
    assert "Sorted: the newest 2 tasks that match" in text(staff_pages, sort="-took")


def test_a_heading_turns_the_order_round_and_keeps_the_filter(staff_pages):
    make_task()
    said = text(staff_pages, status="queued", sort="-took", after="2030-01-01T00:00:00Z")
    assert (
        'aria-sort="descending"><a class="sort" href="/dashboard/tasks/?status=queued&amp;sort=took#' in said
    )
    assert "?status=queued&amp;sort=-waited#" in said
    assert "?status=queued&amp;sort=state#" in said
    assert '<input type="hidden" name="sort" value="-took"' in said


def test_the_list_shows_how_far_a_running_task_is(staff_pages, plan):
    make_task(document=plan, status="running", phase="store", started_at=timezone.now())
    assert '<progress max="1" value="0.97"' in text(staff_pages, f"{PAGE}list/")


def test_kinds_are_chosen_from_a_list(staff_pages):
    assert '<option value="alert">Alert</option>' in text(staff_pages)


def test_a_failed_task_links_to_what_its_error_means(staff_pages):
    task = failed()
    for path in (f"{PAGE}list/", f"{PAGE}{task.pk}/"):
        assert 'href="/dashboard/tasks/errors/#render-failed"' in text(staff_pages, path)
    said = text(staff_pages, f"{PAGE}errors/")
    assert '<div id="render-failed">' in said
    assert "A render that ended without a PDF." in said
    assert len(re.findall('<div id="', said)) == len(set(re.findall('<div id="([a-z-]+)"', said))) > 40


def test_workers_of_one_host_are_numbered_across_its_clusters():
    processes = [
        [{"name": f"{name}/{pid}", "memory_bytes": 1} for pid in (7, 8)] for name in ("a:1:x", "a:2:y")
    ]
    clusters = [Cluster(name="x", processes=group) for group in processes]
    titles = task_tables.worker_titles([*clusters, Cluster(processes=[{"name": "b:1:z/9"}])])
    assert titles["a:1:x/8"] == "a, worker 2"
    assert titles["a:2:y/8"] == "a, worker 4"
    assert titles["b:1:z/9"] == "b, worker 1"


def test_a_task_tells_its_story_with_tracebacks(staff_pages, plan, owner, monkeypatch, cluster, settings):
    settings.SPMS_RETRY_BACKOFF = 0.01

    def broken(document, edition):
        raise KeyError("a section that nobody knows")

    monkeypatch.setattr("documents.content.blocks.iter_blocks", broken)
    task = make_task(document=plan, requested_by=owner)
    hints.run_task.call(str(task.pk))
    said = text(staff_pages, f"{PAGE}{task.pk}/")
    assert "Attempt 1 failed" in said
    assert "KeyError: &#x27;a section that nobody knows&#x27;" in said
    assert "Failed after 1 attempt" in said
    assert staff_pages.get(f"{PAGE}{uuid.uuid4()}/").status_code == 404


def test_each_attempt_that_a_dead_worker_left_is_noted(staff_pages):
    past = timezone.now() - timedelta(minutes=1)
    task = make_task(status="running", attempts=2, token=uuid.uuid4(), lease_until=past, worker="host:1:a/7")
    hints.recover()
    [note] = Failure.objects.all()
    assert (note.task_id, note.attempt, note.worker, note.error["type"]) == (
        task.pk,
        2,
        "host:1:a/7",
        "worker-lost",
    )
    assert Task.objects.get().status == "queued"


def test_people_never_see_a_traceback(api, staff_pages, plan, owner, monkeypatch):
    monkeypatch.setattr("documents.content.blocks.iter_blocks", lambda document: [][len("one")])
    task = make_task(document=plan, requested_by=owner)
    hints.run_task.call(str(task.pk))
    assert "Traceback" in text(staff_pages, f"{PAGE}{task.pk}/")
    assert "Traceback" not in api.get(f"/api/v1/tasks/{task.pk}/").content.decode()


def test_the_queue_is_paused_and_resumed_by_hand(staff_pages, cluster):
    staff_pages.post(f"{PAGE}pause/", {"reason": HOSTILE})
    said = text(staff_pages)
    assert "The queue is paused" in said
    assert HOSTILE not in said
    staff_pages.post(f"{PAGE}resume/")
    assert "The queue is paused" not in text(staff_pages)


def test_scheduled_work_is_shown_and_can_be_begun_now(staff_pages):
    periodic.ensure_schedules()
    assert "cleanup" in text(staff_pages)
    staff_pages.post(f"{PAGE}schedules/cleanup/run/")
    run_entries()
    task = Task.objects.get(kind="cleanup")
    assert task.status == "succeeded"
    assert task.message in text(staff_pages)
    assert staff_pages.post(f"{PAGE}schedules/nothing/run/").status_code == 404


def test_texts_of_people_are_shown_as_text(staff_pages, owner):
    project = factories.project(owner, title=HOSTILE)
    document = factories.document(project=project)
    task = failed(HOSTILE, document=document, requested_by=owner)
    Failure.objects.create(task=task, attempt=1, error=task.error, traceback=HOSTILE, worker=HOSTILE)
    for path in pages_of(task):
        assert HOSTILE not in text(staff_pages, path)


def test_the_number_of_questions_does_not_grow_with_the_tasks(
    staff_pages, owner, django_assert_max_num_queries, cluster
):
    def fill(count):
        for _ in range(count):
            plan = factories.document(owner)
            make_task(document=plan, requested_by=owner, status="running", worker="host:1:a/7")
            failed(document=plan, requested_by=owner)

    fill(2)
    with django_assert_max_num_queries(25) as few:
        text(staff_pages)
    fill(5)
    with django_assert_max_num_queries(len(few)):
        text(staff_pages)


def test_alerts_are_tasks_like_any_other(staff_pages, settings):
    settings.SPMS_ALERT_MAIL = ["ops@example.org"]
    Cluster.objects.create(name="host:2:a", workers=1)
    alerts.enqueue(alerts.MODE, 999)
    run_entries()
    assert "The change has been removed." in text(staff_pages)
