"""Django-Q2's database broker, which wakes its workers at once.

PostgreSQL: an entry is taken with ``FOR UPDATE SKIP LOCKED`` and announced with NOTIFY in the transaction
that writes it. SQLite: ``PRAGMA data_version`` tells a connection that another one has written.
"""

import logging
import os
import time
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connections
from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from documents.infrastructure.sqlite_changes import data_version
from spms import pooling

CHANNEL = "spms_queue"
LOW_PRIORITY = "-later"  # ends the key of entries that are taken when no other waits
MAX_WAIT_SECONDS = 2.0  # the longest sleep: no notification announces an entry whose lock has expired
SQLITE_POLL_INTERVAL_SECONDS = 0.03
DATABASE_TIMEOUT_SECONDS = 1.0
TAKE = """
UPDATE django_q_ormq SET lock = %s WHERE id = (
    SELECT id FROM django_q_ormq WHERE key = %s AND (lock <= %s OR lock > %s)
    ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING id, payload
"""

logger = logging.getLogger(__name__)

type Entry = tuple[int, str]


class NotifyingOrmBroker(ORM):
    """The broker of ``Q_CLUSTER["broker_class"]``."""

    _listener: Any = None
    _listener_pid = 0

    def enqueue(self, task: str) -> int:
        """Write an entry, and announce it when the transaction commits."""
        entry_id: int = super().enqueue(task)
        if self._is_postgresql():
            with connections[Conf.ORM].cursor() as cursor:
                cursor.execute("SELECT pg_notify(%s, '')", [CHANNEL])
        return entry_id

    def dequeue(self) -> list[Entry] | None:
        """Return the next entry, or None after waiting for one for a while or when the database is away."""
        try:
            listener = self._listening()
            before = data_version(listener)
            entry = self._take()
            if entry is None:
                _wait(listener, before)
                entry = self._take()
        except (DatabaseError, InterfaceError, OSError) as error:
            logger.warning("the queue cannot be read: %s", str(error).strip())
            self._forget()
            time.sleep(DATABASE_TIMEOUT_SECONDS)
            return None
        return [entry] if entry and self._is_readable(entry) else None

    def acknowledge(self, task_id: int) -> None:
        """Remove a processed entry; one that stays because the database is away has no effect later."""
        try:
            super().acknowledge(task_id)
        except (DatabaseError, InterfaceError) as error:
            logger.warning("entry %s could not be acknowledged: %s", task_id, str(error).strip())

    def _take(self) -> Entry | None:
        return self._take_of(self.list_key) or self._take_of(f"{self.list_key}{LOW_PRIORITY}")

    def _take_of(self, key: str) -> Entry | None:
        now = timezone.now()
        lock = now + timedelta(seconds=Conf.RETRY)
        impossible = lock + timedelta(
            seconds=Conf.RETRY
        )  # a lock beyond this was set before the clock was set back
        if self._is_postgresql():
            with connections[Conf.ORM].cursor() as cursor:
                cursor.execute(TAKE, [lock, key, now, impossible])
                return cursor.fetchone()  # type: ignore[no-any-return]
        free = OrmQ.objects.using(Conf.ORM).filter(key=key)
        free = free.filter(lock__lte=now) | free.filter(lock__gt=impossible)
        for entry in free.order_by("id")[:1]:
            if free.filter(pk=entry.pk, lock=entry.lock).update(lock=lock):
                return entry.pk, entry.payload
        return None

    def _is_readable(self, entry: Entry) -> bool:
        """Return True if the entry can be unpacked; drop it otherwise, as it would kill the pusher each time."""
        try:
            SignedPackage.loads(entry[1])
        except Exception:
            logger.exception("a broken entry was dropped from the queue")
            self.delete(entry[0])
            return False
        return True

    def _is_postgresql(self) -> bool:
        return connections[Conf.ORM].vendor == "postgresql"

    def _listening(self) -> Any:
        """Return this process's connection that is notified of new entries, opened before the queue is read."""
        if self._listener is None or self._listener_pid != os.getpid():
            connection = connections.create_connection(Conf.ORM)
            connection.settings_dict = {**connection.settings_dict, **settings.SPMS_LISTEN_DATABASE}
            connection.inc_thread_sharing()
            connection.ensure_connection()
            if connection.vendor == "postgresql":
                connection.set_autocommit(True)
                connection.cursor().execute(f"LISTEN {CHANNEL}")
                if pooling.is_pooled(connection):
                    logger.warning(pooling.WARNING)
            self._listener, self._listener_pid = connection, os.getpid()
        return self._listener

    def _forget(self) -> None:
        for connection in (self._listener, connections[Conf.ORM]):
            if connection is not None:
                connection.close()
        self._listener = None


def _wait(listener: Any, before: int | None) -> None:
    """Wait for a new entry, for MAX_WAIT_SECONDS at most."""
    if before is None:
        with listener.wrap_database_errors:
            for _ in listener.connection.notifies(timeout=MAX_WAIT_SECONDS, stop_after=1):
                return
            return
    give_up_at = time.monotonic() + MAX_WAIT_SECONDS
    while data_version(listener) == before and time.monotonic() < give_up_at:
        time.sleep(SQLITE_POLL_INTERVAL_SECONDS)
