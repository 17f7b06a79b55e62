"""Two hosts on one machine: network namespaces joined by a cable that can be pulled, with host names of their own."""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.acceptance import servers

FIRST, SECOND = "10.77.0.1", "10.77.0.2"  # seen by these hosts only
CABLE = "cable"


class HostsUnavailable(Exception):
    """Says what this machine lacks to be two hosts."""


class Hosts:
    """The hosts ``first`` and ``second``. Raises HostsUnavailable where they cannot be made."""

    def __init__(self):
        if sys.platform != "linux":
            raise HostsUnavailable("two hosts need Linux")
        if not shutil.which("ip"):
            raise HostsUnavailable("two hosts need the command ip: apt-get install iproute2")
        if os.geteuid() != 0:
            raise HostsUnavailable("two hosts need root")
        self._names = {name: f"spms-{os.getpid()}-{name}" for name in ("first", "second")}
        try:
            self._make()
        except subprocess.CalledProcessError as error:
            self.remove()
            reason = f"network namespaces cannot be made here: {error.stderr.strip()}"
            raise HostsUnavailable(reason) from error

    def _make(self):
        first, second = self._names.values()
        for name in (first, second):
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        _ip(
            *("-n", first, "link", "add", CABLE, "type", "veth"),
            *("peer", "name", CABLE, "netns", second),
        )
        for name, address in ((first, FIRST), (second, SECOND)):
            _ip("-n", name, "address", "add", f"{address}/24", "dev", CABLE)
            _ip("-n", name, "link", "set", CABLE, "up")

    def on(self, name):
        """Return what to put before a command to run it on a host."""
        return ("ip", "netns", "exec", self._names[name], *named(name))

    @contextlib.contextmanager
    def seen_from(self, name):
        """Let this thread, and what it starts, see the network as a host does."""
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        other = os.open(f"/run/netns/{self._names[name]}", os.O_RDONLY)
        try:
            os.setns(other, os.CLONE_NEWNET)
            yield
        finally:
            os.setns(own, os.CLONE_NEWNET)
            os.close(other)
            os.close(own)

    def pull_cable(self):
        _ip("-n", self._names["second"], "link", "set", CABLE, "down")

    def plug_cable(self):
        _ip("-n", self._names["second"], "link", "set", CABLE, "up")

    def remove(self):
        for name in self._names.values():
            if Path("/run/netns", name).exists():
                _ip("netns", "delete", name)


def named(name):
    """Return what to put before a command to give it a host name of its own; it needs root on Linux."""
    return ("unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', name)


class PostgresOn(servers.Postgres):
    """A PostgreSQL that other hosts reach; to be made on the host that it is to serve from."""

    def __init__(self, address):
        super().__init__()
        self._address = address
        with (self._server.pgdata / "pg_hba.conf").open("a") as rules:
            rules.write("host all all 10.77.0.0/24 trust\n")
        self.stop()
        self.start()

    def start(self):
        folder = self._server.get_postmaster_info().socket_dir
        options = ("-w", "-o", f"-h {self._address} -k {folder}", "-l", str(self._server.log), "start")
        servers._commands.pg_ctl(  # type: ignore[attr-defined]
            [*options], pgdata=self._server.pgdata, user=self._server.system_user, timeout=60
        )

    def new_database(self):
        name = super().new_database().partition("?")[0].rpartition("/")[2]
        return f"postgresql://postgres@{self._address}:5432/{name}"


def _ip(*command):
    subprocess.run(["ip", *command], check=True, capture_output=True, text=True)
