"""The capacity of the installation: what its live processes report, or the settings while none reports."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from django.conf import settings

from metrics import instruments
from metrics.collection import web_processes
from metrics.decisions import hosts as hosts_module
from metrics.decisions.hosts import Host
from metrics.decisions.inline_model import ServerModel


def live_hosts() -> list[Host]:
    """Return the hosts with live web processes or workers, by name."""
    return hosts_module.add_up(web_processes.live(), instruments.provider().clusters())


def server_model(hosts: Sequence[Host] | None = None) -> ServerModel:
    """Return the inline server: all hosts that serve the web, or this one by its settings if none reports.

    ``hosts`` are the live ones, if the caller has read them already.
    """
    live = live_hosts() if hosts is None else hosts
    return hosts_module.inline_server(live, deadline_seconds=settings.SPMS_INLINE_DEADLINE) or ServerModel(
        web_threads=settings.SPMS_WEB_THREADS,
        render_slots=settings.SPMS_RENDER_SLOTS,
        deadline_seconds=settings.SPMS_INLINE_DEADLINE,
    )


def describe(hosts: Sequence[Host], pdfs: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return the hosts as JSON for the API and the dashboard; ``pdfs`` counts the recent PDFs of each host.

    ``work_share`` is a host's share of them, and None if there were none.
    """
    total = sum(pdfs.values())
    return [
        {**asdict(host), "work_share": round(pdfs.get(host.name, 0) / total, 3) if total else None}
        for host in hosts
    ]
