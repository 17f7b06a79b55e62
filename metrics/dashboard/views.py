"""The threshold dashboard, for staff: one page, and the partials that it reloads."""

from datetime import timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_POST, require_safe

from metrics import flag, instruments
from metrics.dashboard import context
from metrics.decisions import inline_model
from metrics.evaluation import capacity, evaluator, report
from metrics.models import ModeChange

RANGES = {"1h": 3600.0, "24h": 86400.0, "7d": 7 * 86400.0, "30d": 30 * 86400.0}
MAX_WEB_THREADS = 1024
DURATIONS = (("1800", "30 minutes"), ("7200", "2 hours"), ("14400", "4 hours"), ("86400", "1 day"))


class OverrideForm(forms.Form):
    """An operator's choice of the mode."""

    setting = forms.ChoiceField(choices=(("auto", "Auto"), ("inline", "Inline"), ("queue", "Queue")))
    seconds = forms.TypedChoiceField(choices=DURATIONS, coerce=int)
    reason = forms.CharField(max_length=300)


class WhatIfForm(forms.Form):
    """Assumptions: a factor for traffic, a factor for render times, and a number of web threads."""

    traffic = forms.FloatField(min_value=0.1, max_value=20)
    render_time = forms.FloatField(min_value=0.1, max_value=20)
    web_threads = forms.IntegerField(min_value=1, max_value=MAX_WEB_THREADS)


@gzip_page
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Show the dashboard."""
    return render(request, "dashboard/page.html", _page())


@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """Return the live part, requested every two seconds, or 204 if the viewer already has the current one."""
    html, digest = context.live()
    if request.GET.get("seen") == digest:
        return HttpResponse(status=204)
    return render(request, "dashboard/_part.html", {"live": html, "digest": digest})


@gzip_page
@require_safe
def series(request: HttpRequest) -> HttpResponse:
    """Return the points of the charts as columns, and the mode changes."""
    seconds = RANGES.get(request.GET.get("range", "24h"))
    if seconds is None:
        return JsonResponse({"error": f"range: expected one of {', '.join(RANGES)}"}, status=400)
    return HttpResponse(context.series(seconds), content_type="application/json")


@require_safe
def changes(request: HttpRequest) -> HttpResponse:
    """Show mode changes, with ``before`` only those below this id: as a partial for htmx, or as a page."""
    before = request.GET.get("before", "")
    page = context.changes(int(before[:15]) if before.isascii() and before.isdecimal() else None)
    name = "_changes" if "HX-Request" in request.headers else "changes_page"
    return render(request, f"dashboard/{name}.html", page)


@require_safe
def evidence(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the evidence of a mode change. Raises Http404."""
    return render(request, "dashboard/_evidence.html", context.evidence(get_object_or_404(ModeChange, pk=pk)))


@require_POST
def override(request: HttpRequest) -> HttpResponse:
    """Override the mode, or show the form with its errors."""
    form = OverrideForm(request.POST)
    if not form.is_valid():
        return render(request, "dashboard/page.html", _page() | {"form": form}, status=400)
    flag.override(
        form.cleaned_data["setting"],
        by=request.user.get_username(),
        reason=form.cleaned_data["reason"],
        until=timezone.now() + timedelta(seconds=form.cleaned_data["seconds"]),
    )
    context.clear_caches()
    return redirect("dashboard")


@require_POST
def end_override(request: HttpRequest) -> HttpResponse:
    """End the override and return to ``SPMS_MODE``."""
    flag.end_override(by=request.user.get_username(), reason="ended on the dashboard")
    context.clear_caches()
    return redirect("dashboard")


@require_safe
def what_if(request: HttpRequest) -> HttpResponse:
    """Show how long the PDFs of the last five minutes would have taken under other assumptions."""
    form = WhatIfForm(request.GET)
    if not form.is_valid():
        return render(
            request,
            "dashboard/_what_if.html",
            {
                "error": f"Send traffic and render_time from 0.1 to 20, and web_threads from 1 to {MAX_WEB_THREADS}."
            },
            status=400,
        )
    since = timezone.now().timestamp() - evaluator.WORK_SECONDS
    simulated = inline_model.what_if(
        instruments.provider().arrivals(since),
        capacity.server_model(),
        traffic=form.cleaned_data["traffic"],
        render_time=form.cleaned_data["render_time"],
        web_threads=form.cleaned_data["web_threads"],
    )
    limits = {entry.name: entry.limit for entry in report.entries_from(context.state().report)}
    mode = "inline" if simulated is None or simulated.keeps(limits) else "queue"
    return render(request, "dashboard/_what_if.html", {"simulated": simulated, "mode": mode})


def _page() -> dict[str, Any]:
    html, digest = context.live()
    machine = capacity.server_model()
    return {
        "live": html,
        "digest": digest,
        "flag": flag.current(),
        "state": context.state(),
        "form": OverrideForm(initial={"seconds": "14400"}),
        "machine": machine,
        "max_web_threads": min(MAX_WEB_THREADS, max(32, 2 * machine.web_threads)),
        "limits_path": settings.SPMS_THRESHOLDS,
        "ranges": RANGES,
        **context.changes(None),
    }
