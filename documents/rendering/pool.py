"""The rendering processes of this process: kept warm, watched while they work, replaced when they fail or age."""

import atexit
import contextlib
import errno
import json
import logging
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from django.conf import settings

from documents import exceptions
from documents.infrastructure import processes, slot_queue, storage
from documents.infrastructure.slot_queue import Priority, Turn
from documents.rendering.protocol import (
    AssemblyJob,
    Job,
    PartsJob,
    RenderedPart,
    RenderedPdf,
    RenderJob,
    encode,
)
from documents.task_warnings import TaskWarning
from metrics.durations import Monotonic

POLL_INTERVAL_SECONDS = 0.03  # also how late a pre-render sees that it should give way
# How libraries end a process that gets no memory; GLib traps.
SIGNALS_WITHOUT_MEMORY = frozenset({signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGTRAP})
FONTS_CONF = Path(__file__).parent / "fonts" / "fonts.conf"
MODULE = "documents.rendering.child"

logger = logging.getLogger(__name__)

type Report = Callable[[str, int], None]


@dataclass(frozen=True, kw_only=True)
class ChildLimits:
    """The limits of one child: its resident memory in bytes, and after how many jobs it is replaced."""

    memory_bytes: int
    renders: int


class Child:
    """One rendering process and its private folder."""

    def __init__(self, run_folder: Path, limits: ChildLimits) -> None:
        self._limits = limits
        with storage.translate_storage_errors():
            self._folder = Path(tempfile.mkdtemp(dir=run_folder, prefix=f"child-{os.getpid()}-"))
        self._process = self._start(run_folder)
        self._lines = LineReader(self._process)
        self._memory = psutil.Process(self._process.pid)
        self._renders = 0
        self._is_ready = False

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def needs_recycling(self) -> bool:
        """Whether it should be replaced, after its number of jobs or because it kept too much memory."""
        return self._renders >= self._limits.renders or self._used_bytes() > self._limits.memory_bytes // 2

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def work(self, job: Job, *, deadline: Monotonic, report: Report) -> Any:
        """Do one job and return its result; after any error this child must not be used again.

        ``report`` receives each phase and page, several times a second; an error that it raises ends the job.
        Raises RenderTimeout after ``deadline``, the other RenderErrors, StorageFull, StorageUnavailable.
        """
        self._renders += 1
        sent = self._is_ready and self._send(job)
        phase, pages = "fetch", 0
        while True:
            for message in self._lines.read(POLL_INTERVAL_SECONDS):
                if message.get("ready"):
                    self._is_ready, sent = True, self._send(job)
                elif "done" in message:
                    return message["done"]
                elif "failed" in message:
                    raise _exception_from(message, self._limits)
                else:
                    phase, pages = message["phase"], message["pages"]
            self._watch(deadline)
            report(phase if sent else "wait", pages)

    def _start(self, run_folder: Path) -> subprocess.Popen[bytes]:
        # Twice the limit: address space that is never used counts here too.
        command = [sys.executable, "-m", MODULE, str(os.getpid()), str(2 * self._limits.memory_bytes)]
        pipe = subprocess.PIPE
        environment = _environment(self._folder, run_folder)
        try:
            return subprocess.Popen(command, stdin=pipe, stdout=pipe, cwd=self._folder, env=environment)
        except OSError as error:
            shutil.rmtree(self._folder, ignore_errors=True)
            reason = (error.strerror or str(error)).lower()
            raise exceptions.RenderBusy(f"No rendering process could be started: {reason}.") from error

    def close(self) -> None:
        """End the process, wait for it, and remove its folder."""
        processes.end_child(self._process)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _send(self, job: Job) -> bool:
        assert self._process.stdin is not None  # noqa: S101 (opened above)
        with contextlib.suppress(BrokenPipeError):  # the child died: _watch raises the reason
            self._process.stdin.write(encode(job))
            self._process.stdin.flush()
        return True

    def _watch(self, deadline: Monotonic) -> None:
        if (code := self._process.poll()) is not None:
            raise _describe_death(code, self._limits)
        if time.monotonic() > deadline:
            raise exceptions.RenderTimeout("The PDF was not finished in the time that a render may take.")
        if self._used_bytes() > self._limits.memory_bytes:
            raise _too_much_memory(self._limits)

    def _used_bytes(self) -> int:
        with contextlib.suppress(psutil.Error):
            return int(self._memory.memory_info().rss)
        return 0


class LineReader:
    """Reads the messages of a child with a limited wait."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None  # noqa: S101 (opened with a pipe)
        self._descriptor = process.stdout.fileno()
        self._rest = b""
        os.set_blocking(self._descriptor, False)
        self._selector = selectors.PollSelector()
        self._selector.register(self._descriptor, selectors.EVENT_READ)

    def read(self, timeout_seconds: float) -> Iterator[dict[str, Any]]:
        """Yield the messages that have arrived, or arrive within the timeout."""
        if not self._selector.select(timeout_seconds):
            return
        data = os.read(self._descriptor, 65_536)
        if not data:  # it has closed its end: its exit status follows in a moment
            time.sleep(POLL_INTERVAL_SECONDS)
        *lines, self._rest = (self._rest + data).split(b"\n")
        yield from map(json.loads, lines)


class Pool:
    """The warm children of this process; ``slot_count`` limits how many work at once on the whole machine."""

    def __init__(self, run_folder: Path, *, slot_count: int, limits: ChildLimits) -> None:
        self._run_folder = run_folder
        self._slot_count = slot_count
        self._limits = limits
        self._idle: list[Child] = []
        self._lock = threading.Lock()
        # The kernel ends a child with the *thread* that started it, so one lasting thread starts them all.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="render-starter")

    def warm(self, count: int | None = None) -> None:
        """Start ``count`` children, or one per slot, so that the first render need not wait. Raises RenderBusy."""
        for _ in range(count or self._slot_count):
            self._add_idle(self._start())

    def render(
        self,
        job: RenderJob | AssemblyJob,
        *,
        deadline: Monotonic,
        report: Report,
        turn: Turn | None = None,
    ) -> RenderedPdf:
        """Make one PDF in a child as soon as a slot is free.

        Raises RenderBusy if no slot is free before ``deadline``, and the errors of ``Child.work``.
        """
        done, waited_seconds = self._work(job, deadline=deadline, report=report, turn=turn)
        warnings = tuple(TaskWarning(**warning) for warning in done["warnings"])
        values = {**done, "warnings": warnings, "waited_seconds": waited_seconds}
        return RenderedPdf(**values)

    def render_parts(
        self, job: PartsJob, *, deadline: Monotonic, report: Report, turn: Turn | None = None
    ) -> tuple[list[RenderedPart], float]:
        """Draw parts of a report in a child as soon as a slot is free; raises the errors of ``render``.

        Returns the parts, and the seconds until the slot was free.
        """
        done, waited_seconds = self._work(job, deadline=deadline, report=report, turn=turn)
        return [RenderedPart(**part) for part in done], waited_seconds

    def _work(self, job: Job, *, deadline: Monotonic, report: Report, turn: Turn | None) -> tuple[Any, float]:
        """Return the result of a job, and the seconds that it waited for a slot."""
        asked_at = time.monotonic()
        with slot_queue.acquire_slot(
            self._run_folder / slot_queue.RENDER_SLOTS,
            self._slot_count,
            turn=turn or Turn(priority=Priority.QUEUE),
            deadline=deadline,
            tick=lambda: report("wait", 0),
        ):
            waited_seconds = time.monotonic() - asked_at
            child = self._acquire()
            try:
                done = child.work(job, deadline=deadline, report=report)
            except BaseException:
                child.close()
                self._replace()
                raise
            # Before the slot is released: its next holder then finds this child instead of starting another.
            self._release(child)
        return done, waited_seconds

    def close(self) -> None:
        """End all idle children."""
        with self._lock:
            children, self._idle = self._idle, []
        for child in children:
            child.close()
        self._starter.shutdown(wait=False)

    def _acquire(self) -> Child:
        while True:
            with self._lock:
                child = self._idle.pop() if self._idle else None
            if child is None:
                return self._start()
            if child.is_alive:
                return child
            child.close()

    def _release(self, child: Child) -> None:
        if child.needs_recycling:
            child.close()
            self._replace()
        else:
            self._add_idle(child)

    def _replace(self) -> None:
        try:
            self._add_idle(self._start())
        except (exceptions.SpmsError, RuntimeError) as error:  # the next render tries again, and raises
            logger.warning("no new rendering process: %s", error)

    def _add_idle(self, child: Child) -> None:
        with self._lock:
            self._idle.append(child)

    def _start(self) -> Child:
        return self._starter.submit(Child, self._run_folder, self._limits).result()


_pool: tuple[int, Pool] | None = None
_pool_lock = threading.Lock()


def get_pool() -> Pool:
    """Return the pool of this process; a forked process makes a new one. Raises StorageFull, StorageUnavailable."""
    global _pool  # noqa: PLW0603 (one pool per process)
    with _pool_lock:
        if _pool is None or _pool[0] != os.getpid():
            _pool = (os.getpid(), _new_pool())
        return _pool[1]


def close_pool() -> None:
    """End the idle children of this process."""
    global _pool  # noqa: PLW0603 (one pool per process)
    with _pool_lock:
        if _pool is not None and _pool[0] == os.getpid():
            _pool[1].close()
        _pool = None


def _new_pool() -> Pool:
    run_folder = storage.run_folder()
    with storage.translate_storage_errors():
        run_folder.mkdir(parents=True, exist_ok=True)
        storage.remove_stale_folders(run_folder, "child-")
        storage.remove_stale_folders(storage.work_folder())
    limits = ChildLimits(
        memory_bytes=settings.SPMS_RENDER_MEMORY_LIMIT, renders=settings.SPMS_RENDERS_PER_CHILD
    )
    atexit.register(close_pool)
    return Pool(run_folder, slot_count=settings.SPMS_RENDER_SLOTS, limits=limits)


def _environment(folder: Path, run_folder: Path) -> dict[str, str]:
    """Return the whole environment of a child: no secrets, our fonts only, a private TMPDIR.

    It has no programs and no certificates: looking for compilers and reading certificates is a third of its start.
    """
    return {
        "PATH": str(folder),
        "SSL_CERT_FILE": os.devnull,
        "PYTHONPATH": str(settings.BASE_DIR),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LANG": "C.UTF-8",
        "TMPDIR": str(folder),
        "XDG_CACHE_HOME": str(run_folder / "cache"),
        "FONTCONFIG_FILE": str(FONTS_CONF),
    }


def _exception_from(message: dict[str, Any], limits: ChildLimits) -> exceptions.SpmsError:
    if message["failed"] == "os-error":
        return storage.storage_error(OSError(message["errno"] or errno.EIO, message["detail"]))
    if message["failed"] == exceptions.RenderOutOfMemory.slug:
        return _too_much_memory(limits)
    if message["failed"] == exceptions.AssemblyUnsupported.slug:
        return exceptions.AssemblyUnsupported(message["detail"])
    return exceptions.DocumentUnrenderable(message["detail"])


def _describe_death(code: int, limits: ChildLimits) -> exceptions.RenderError:
    if code == -signal.SIGXCPU:
        return exceptions.RenderCpuLimit(
            "The PDF was not finished in the computing time that a render may take."
        )
    if -code in SIGNALS_WITHOUT_MEMORY:
        return _too_much_memory(limits)
    return exceptions.RenderKilled(f"The rendering process ended early (exit status {code}). Try again.")


def _too_much_memory(limits: ChildLimits) -> exceptions.RenderOutOfMemory:
    limit = limits.memory_bytes / 1024**2
    return exceptions.RenderOutOfMemory(
        f"This document needs more than the {limit:,.0f} MiB that a render may take (SPMS_RENDER_MEMORY_LIMIT)."
    )
