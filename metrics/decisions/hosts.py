"""The hosts of the installation, added up from what their live processes report; pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from metrics.decisions.inline_model import HostModel, ServerModel

# A report beyond these is a mistake: it would take the model's memory, or promise what no machine has.
MAX_THREADS = 1000
MAX_RENDER_SLOTS = 1000
MAX_WORKERS = 1000


@dataclass(frozen=True, kw_only=True)
class WebReport:
    """What one web process reports: its own threads, and the render slots of its machine."""

    host: str
    threads: int
    render_slots: int

    @property
    def is_plausible(self) -> bool:
        """Whether a process can have reported this without a mistake."""
        return 1 <= self.threads <= MAX_THREADS and 1 <= self.render_slots <= MAX_RENDER_SLOTS


@dataclass(frozen=True, kw_only=True)
class ClusterReport:
    """What one cluster reports: its workers, and the render slots of its machine; 0 from older versions."""

    host: str
    workers: int
    render_slots: int = 0

    @property
    def is_plausible(self) -> bool:
        """Whether a cluster can have reported this without a mistake."""
        return 1 <= self.workers <= MAX_WORKERS and 0 <= self.render_slots <= MAX_RENDER_SLOTS


@dataclass(frozen=True, kw_only=True)
class Host:
    """A machine: the threads of its web processes, its render slots, and its workers."""

    name: str
    web_threads: int = 0
    render_slots: int = 0
    workers: int = 0

    @property
    def serves_web(self) -> bool:
        """Whether web processes run here."""
        return self.web_threads > 0

    @property
    def inline_slots(self) -> int:
        """How many PDFs its web processes render at once."""
        return min(self.render_slots, self.web_threads)


def add_up(web: Iterable[WebReport], clusters: Iterable[ClusterReport]) -> list[Host]:
    """Return the hosts by name; reports that cannot be right are left out.

    Threads and workers add up. Render slots do not: the processes of a machine share them.
    """
    hosts: dict[str, Host] = {}
    for process in web:
        if process.is_plausible:
            host = hosts.get(process.host, Host(name=process.host))
            hosts[process.host] = replace(
                host,
                web_threads=host.web_threads + process.threads,
                render_slots=max(host.render_slots, process.render_slots),
            )
    for cluster in clusters:
        if cluster.is_plausible:
            host = hosts.get(cluster.host, Host(name=cluster.host))
            hosts[cluster.host] = replace(
                host,
                workers=host.workers + cluster.workers,
                render_slots=max(host.render_slots, cluster.render_slots),
            )
    return sorted(hosts.values(), key=lambda host: host.name)


def inline_server(hosts: Iterable[Host], *, deadline_seconds: float) -> ServerModel | None:
    """Return the hosts that serve the web as one inline server; None if none does."""
    serving = [host for host in hosts if host.serves_web]
    if not serving:
        return None
    return ServerModel(
        web_threads=sum(host.web_threads for host in serving),
        render_slots=sum(host.inline_slots for host in serving),
        deadline_seconds=deadline_seconds,
        hosts=tuple(HostModel(host.name, host.web_threads, host.inline_slots) for host in serving)
        if len(serving) > 1
        else (),
    )


def workers_elsewhere(hosts: Sequence[Host]) -> int:
    """Return how many workers have cores that no web process uses."""
    return sum(host.workers for host in hosts if not host.serves_web)
