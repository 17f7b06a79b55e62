"""The task pages (for staff only: ``spms.middleware.StaffOnlyMiddleware``): running, waiting and failed tasks."""

import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from documents import exceptions
from documents.models import PeriodicTask, Task
from documents.pages import task_tables
from documents.queue import failure_groups, hints, leases, lifecycle, listings, registry, statistics

MAX_AT_ONCE = 500


class FilterForm(forms.Form):
    """The filters of the list of tasks."""

    q = forms.CharField(max_length=100, required=False)
    status = forms.ChoiceField(choices=(("", "any state"), *Task.Status.choices), required=False)
    mode = forms.ChoiceField(choices=(("", "any mode"), *Task.Mode.choices), required=False)
    kind = forms.ChoiceField(choices=lambda: [("", "any kind"), *_kinds()], required=False)
    sort = forms.ChoiceField(
        choices=[(sign + key, key) for key in listings.SORT_KEYS for sign in ("", "-")],
        required=False,
        widget=forms.HiddenInput,
    )


def _kinds() -> list[tuple[str, str]]:
    return [(name, title[:1].upper() + title[1:]) for name, title in registry.titles()]


# The columns of the list: the key that sorts by it, its heading, and whether it holds numbers.
COLUMNS = (
    ("task", "Task", False),
    ("state", "State", False),
    ("mode", "Mode", False),
    ("person", "Requested by", False),
    ("requested", "Requested", False),
    ("waited", "Waited", True),
    ("took", "Took", True),
)
HIGHEST_FIRST = ("requested", "waited", "took")


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Show the page."""
    return render(request, "tasks/page.html", _live_context() | _list_context(request))


@require_safe
def live_partial(request: HttpRequest) -> HttpResponse:
    """Return the live part of the page, which the browser polls every few seconds."""
    return render(request, "tasks/_live.html", _live_context())


@require_safe
def listing(request: HttpRequest) -> HttpResponse:
    """Return the list of tasks."""
    return render(request, "tasks/_list.html", _list_context(request))


@require_safe
def task(request: HttpRequest, task_id: uuid.UUID) -> HttpResponse:
    """Show one task."""
    return render(request, "tasks/task.html", _task_context(task_id))


@require_safe
def task_live_partial(request: HttpRequest, task_id: uuid.UUID) -> HttpResponse:
    """Return the live part of a task's page."""
    return render(request, "tasks/_task_live.html", _task_context(task_id))


@require_safe
def errors(request: HttpRequest) -> HttpResponse:
    """Show what each error means, each under its slug."""
    known = sorted(_all_errors(exceptions.SpmsError), key=lambda error: error.slug)
    return render(request, "tasks/errors.html", {"errors": known})


def _all_errors(base: type[exceptions.SpmsError]) -> Iterator[type[exceptions.SpmsError]]:
    yield base
    for child in base.__subclasses__():
        yield from _all_errors(child)


@require_POST
def perform_action(request: HttpRequest) -> HttpResponse:
    """Retry or cancel the chosen tasks."""
    action = {"retry": hints.retry, "cancel": tasks_cancelled_by(request)}.get(request.POST.get("action", ""))
    if action is None:
        messages.error(request, "Choose retry or cancel.")
    else:
        _flash_result(request, *_apply_to_each(_chosen(request.POST.getlist("task")), action))
    return redirect(_next(request))


@require_POST
def retry_group(request: HttpRequest, key: str) -> HttpResponse:
    """Retry all failed tasks of one group, up to MAX_AT_ONCE."""
    group = next((group for group in failure_groups.recent_groups() if group.key == key), None)
    if group is None:
        messages.error(request, "No task of this group is failed any more.")
    else:
        _flash_result(
            request, *_apply_to_each(Task.objects.filter(pk__in=group.task_ids[:MAX_AT_ONCE]), hints.retry)
        )
    return redirect("task-pages")


@require_POST
def pause(request: HttpRequest) -> HttpResponse:
    """Pause the queue."""
    hints.pause(by=request.user.get_username(), reason=request.POST.get("reason", "")[:300])
    return redirect("task-pages")


@require_POST
def resume(request: HttpRequest) -> HttpResponse:
    """Resume the queue."""
    hints.resume(by=request.user.get_username())
    return redirect("task-pages")


@require_POST
def run_schedule(request: HttpRequest, name: str) -> HttpResponse:
    """Begin a scheduled task now."""
    schedule = get_object_or_404(PeriodicTask, kind=name)
    hints.begin_scheduled(schedule.kind)
    messages.success(request, f"The task “{name}” was started.")
    return redirect("task-pages")


def tasks_cancelled_by(request: HttpRequest) -> Callable[[Task], None]:
    """Return a function that cancels a task in the name of the request's user."""
    username = request.user.get_username()
    return lambda task: lifecycle.cancel(task.pk, by=username)


def _apply_to_each(chosen: Iterable[Task], action: Callable[[Task], None]) -> tuple[int, list[str]]:
    """Apply an action to each task; return the number of successes and the reasons of the refusals."""
    done, refused = 0, []
    for task in chosen:
        try:
            action(task)
        except exceptions.SpmsError as error:
            refused.append(str(error))
        else:
            done += 1
    return done, refused


def _flash_result(request: HttpRequest, done: int, refused: list[str]) -> None:
    if done:
        messages.success(request, ngettext("Done with %d task.", "Done with %d tasks.", done) % done)
    for reason in sorted(set(refused)):
        messages.warning(request, f"Not with {refused.count(reason)}: {reason}")
    if not (done or refused):
        messages.warning(request, "No task was chosen.")


def _chosen(ids: list[str]) -> QuerySet[Task]:
    try:
        return Task.objects.filter(pk__in=ids[:MAX_AT_ONCE])
    except ValidationError:
        return Task.objects.none()


def _next(request: HttpRequest) -> str:
    """Return the path to go back to; any other text is replaced, so no form redirects elsewhere."""
    path = request.POST.get("next", "")
    # redirect() would take a word without a slash for the name of a view.
    is_own_path = path.startswith("/") and url_has_allowed_host_and_scheme(path, allowed_hosts=None)
    return path if is_own_path else reverse("task-pages")


def _live_context() -> dict[str, Any]:
    counts = statistics.counts_by_status()
    return {
        "counts": counts,
        "waiting": counts[Task.Status.QUEUED] + counts[Task.Status.RETRYING],
        "running": task_tables.running(),
        "waits": statistics.wait_times(),
        "clusters": task_tables.clusters(),
        "groups": failure_groups.recent_groups(),
        "schedules": task_tables.schedules(),
        "paused": hints.paused(),
        "now": timezone.now(),
    }


def _list_context(request: HttpRequest) -> dict[str, Any]:
    form = FilterForm(request.GET)
    filters = form.cleaned_data if form.is_valid() else {}
    sort, after = filters.get("sort") or listings.NEWEST_FIRST, request.GET.get("after", "")
    query = request.GET.copy()
    query.pop("after", None)
    return {
        "form": form,
        "listed": listings.page(filters, after, sort),
        "columns": [_heading(column, sort, query) for column in COLUMNS],
        "fractions": {row.task.pk: row.fraction for row in task_tables.running()},
        "max_sorted": listings.MAX_SORTED,
        "query": query.urlencode(),
        "after": after,
        "here": request.get_full_path().replace("/list/", "/"),
        "now": timezone.now(),
    }


def _heading(column: tuple[str, str, bool], sort: str, query: QueryDict) -> dict[str, Any]:
    """Return a heading that sorts by its column, or turns the order round."""
    key, title, is_number = column
    is_sorted, is_descending = sort.removeprefix("-") == key, sort.startswith("-")
    begins_high = not is_descending if is_sorted else key in HIGHEST_FIRST
    link = query.copy()
    link["sort"] = f"{'-' * begins_high}{key}"
    direction = ("descending" if is_descending else "ascending") if is_sorted else ""
    return {"title": title, "is_number": is_number, "query": link.urlencode(), "direction": direction}


def _task_context(task_id: uuid.UUID) -> dict[str, Any]:
    task = Task.objects.select_related("document__project", "requested_by").filter(pk=task_id).first()
    if task is None:
        raise Http404
    return {
        "task": task,
        "failures": list(task.failures.all()),
        "notices": task.notices.prefetch_related("deliveries"),
        "place": statistics.position(task),
        "fraction": task_tables.fraction(task.phase, task.pages_done, None),
        "max_attempts": leases.max_attempts(),
        "now": timezone.now(),
    }
