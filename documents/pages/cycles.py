"""The pages of reporting cycles, for staff: open a cycle, watch it, manage its letters.

They call the same functions as the API, and prefer the queue, so that no page waits while workers are alive.
"""

from collections.abc import Callable
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from documents import exceptions
from documents.models import Cycle, Letter
from documents.models.projects import YEAR_VALIDATORS
from documents.queue import routing
from documents.queue.requests import TaskRequest
from documents.tasks.cycles import actions, letter_template, preparation
from documents.whole_numbers import MAX_ID_DIGITS, is_whole_number

MAX_LISTED = 200
ASYNC = routing.Preferences(respond_async=True)


class CycleForm(forms.Form):
    """A cycle to open."""

    year = forms.IntegerField(validators=YEAR_VALIDATORS)
    due = forms.DateField(widget=forms.DateInput(attrs={"type": "date"}))
    subject = forms.CharField(max_length=200)
    text = forms.CharField(
        max_length=letter_template.MAX_TEXT_CHARACTERS, strip=False, widget=forms.Textarea(attrs={"rows": 12})
    )

    def clean_subject(self) -> str:
        """Refuse unknown placeholders, and line breaks that would begin another header."""
        return _require_valid(self.cleaned_data["subject"], is_subject=True)

    def clean_text(self) -> str:
        """Refuse unknown placeholders."""
        return _require_valid(self.cleaned_data["text"], is_subject=False)


class BounceForm(forms.Form):
    """Why a letter bounced."""

    reason = forms.CharField(max_length=250)


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """List the cycles, with the form that opens the next one."""
    initial = {
        "year": timezone.localdate().year,
        "subject": letter_template.SUBJECT,
        "text": letter_template.TEXT,
    }
    return _overview(request, CycleForm(initial=initial))


@require_POST
def open_new(request: HttpRequest) -> HttpResponse:
    """Show what a new cycle would create, or open it."""
    form = CycleForm(request.POST)
    if not form.is_valid():
        return _overview(request, form)
    cycle = Cycle(**form.cleaned_data, opened_by=cast("User", request.user))
    try:
        if request.POST.get("action") != "open":
            actions.check_new(cycle.year)
            return _overview(request, form, preparation.preview(cycle))
        _begin(request, actions.open_request(cycle))
    except exceptions.SpmsError as error:
        form.add_error(None, f"{error.title}. {error}")
        return _overview(request, form)
    return redirect("cycle-page", pk=cycle.pk)


@require_safe
def cycle(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one cycle."""
    return render(request, "cycles/cycle.html", _context(pk))


@require_safe
def live_partial(request: HttpRequest, pk: int) -> HttpResponse:
    """Return the live part of a cycle's page."""
    return render(request, "cycles/_cycle_live.html", _context(pk))


@require_POST
def perform_action(request: HttpRequest, pk: int) -> HttpResponse:
    """Stop or resume a cycle, send letters again, or record a bounce."""
    cycle = _context(pk)["cycle"]
    action = ACTIONS.get(request.POST.get("action", ""))
    if action is None:
        messages.error(request, f"Choose one of: {', '.join(ACTIONS)}.")
        return redirect("cycle-page", pk=pk)
    try:
        messages.success(request, action(request, cycle))
    except exceptions.SpmsError as error:
        messages.error(request, f"{error.title}. {error}")
    return redirect("cycle-page", pk=pk)


def _stop(request: HttpRequest, cycle: Cycle) -> str:
    actions.stop(cycle, cast("User", request.user))
    return "The cycle was stopped; nothing is lost. Resume it at any time."


def _resume(request: HttpRequest, cycle: Cycle) -> str:
    _begin(request, actions.resume_request(cycle))
    return "The cycle was resumed."


def _again(request: HttpRequest, cycle: Cycle) -> str:
    """Send the named letter again, or all letters in the named state."""
    letters = cycle.letters.filter(state=request.POST.get("state", ""))
    if request.POST.get("letter"):
        letters = letters.filter(pk=_letter(request, cycle).pk)
    count = actions.resend_or_raise(letters)
    _begin(request, actions.resume_request(cycle))
    return ngettext("%d letter is sent again.", "%d letters are sent again.", count) % count


def _bounce(request: HttpRequest, cycle: Cycle) -> str:
    form = BounceForm(request.POST)
    if not form.is_valid():
        raise exceptions.CycleStateConflict("Say in at most 250 characters why the letter bounced.")
    actions.mark_bounced(_letter(request, cycle), form.cleaned_data["reason"])
    return "The bounce was recorded."


ACTIONS: dict[str, Callable[[HttpRequest, Cycle], str]] = {
    "stop": _stop,
    "resume": _resume,
    "again": _again,
    "bounce": _bounce,
}


def _letter(request: HttpRequest, cycle: Cycle) -> Letter:
    """Return the letter that the form names by its id or its address. Raises CycleStateConflict and Http404."""
    letter_id, address = request.POST.get("letter", ""), request.POST.get("address", "")
    if is_whole_number(letter_id, MAX_ID_DIGITS):
        return get_object_or_404(cycle.letters, pk=letter_id)
    letter = cycle.letters.filter(address__iexact=address).first() if address else None
    if letter is None:
        raise exceptions.CycleStateConflict("No letter went to this address.")
    return letter


def _begin(request: HttpRequest, task_request: TaskRequest) -> None:
    routing.submit(task_request, user=cast("User", request.user), preferences=ASYNC)


def _require_valid(text: str, *, is_subject: bool) -> str:
    if reason := letter_template.find_problem(text, is_subject=is_subject):
        raise forms.ValidationError(reason)
    return text


def _overview(
    request: HttpRequest, form: CycleForm, preview: preparation.Preview | None = None
) -> HttpResponse:
    cycles = Cycle.objects.counted()
    context = {
        "form": form,
        "preview": preview,
        "cycles": cycles,
        "placeholders": letter_template.PLACEHOLDERS,
    }
    return render(request, "cycles/cycles.html", context, status=400 if form.errors else 200)


def _context(pk: int) -> dict[str, Any]:
    """Return the context of a cycle's page. Raises Http404."""
    cycle = actions.get_with_counts(pk)
    if cycle is None:
        raise Http404
    letters = cycle.letters.select_related("person")
    listed = {state: list(letters.filter(state=state)[:MAX_LISTED]) for state in actions.RESENDABLE}
    total = sum(cycle.counts.values())
    return {
        "cycle": cycle,
        "counts": cycle.counts,
        "total": total,
        "settled": total - cycle.counts[Letter.State.WAITING] - cycle.counts[Letter.State.SENDING],
        "lists": [(Letter.State(state), listed[state], cycle.counts[state]) for state in actions.RESENDABLE],
        "put_off": list(letters.waiting().exclude(error="")[:MAX_LISTED]),
        "seconds_left": preparation.estimated_send_seconds(cycle.counts[Letter.State.WAITING]),
    }
