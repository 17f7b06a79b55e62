"""A real nginx with the shipped configuration: its limits hold, and leave pages and streams alone.

Rates are changed to one a minute, and waiting times and numbers of connections are lowered, so that no test depends on
how fast this machine is.
"""

import contextlib
import getpass
import shutil
import socket
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from bench.ports import free_port
from tests.acceptance.servers import listens
from tests.waiting import wait_for

CONF = Path(__file__).parent.parent.parent / "deploy" / "systemd" / "nginx.conf"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin") or ""
TASK = "0f1c1b0e-7d0e-4a0e-9a53-6a4c5d1f2b3a"
STREAM = f"/api/v1/tasks/{TASK}/events/"
SLOW = "/slow/"
MAIN = """
user {user};
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1000; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/spms.conf;
}}
"""


class Application(ThreadingHTTPServer):
    """Stands for SPMS behind nginx: streams and slow requests wait until the test releases them."""

    daemon_threads = True
    request_queue_size = 500

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.released = threading.Event()
        self.waiting = 0
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def wait(self):
        with self.lock:
            self.waiting += 1
        self.released.wait()
        with self.lock:
            self.waiting -= 1


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Application

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        is_stream = self.path == STREAM
        self.send_response(200)
        self.send_header("Content-Length", "8")
        self.end_headers()
        self.wfile.write(b"data" if is_stream else b"")
        self.wfile.flush()
        if is_stream or self.path == SLOW:
            self.server.wait()
        with contextlib.suppress(OSError):
            self.wfile.write(b"done" if is_stream else b"answered")

    do_POST = do_GET  # noqa: N815 (the name that http.server calls)

    def log_message(self, *args):
        pass


class Proxy:
    """An nginx that is running, and what is behind it."""

    def __init__(self, folder, application, replaced):
        self.folder, self.application, self.port = folder, application, free_port()
        self._write_certificate()
        (folder / "spms.conf").write_text(self._configuration(replaced))
        (folder / "nginx.conf").write_text(MAIN.format(folder=folder, user=getpass.getuser()))
        self.command = [
            NGINX,
            "-p",
            str(folder),
            "-c",
            str(folder / "nginx.conf"),
            "-e",
            str(folder / "error.log"),
        ]
        self.session = requests.Session()
        self.session.trust_env = False  # which may name other certificates
        self.session.verify = str(folder / "fullchain.pem")

    def _configuration(self, replaced):
        behind = f"127.0.0.1:{self.application.server_port}"
        text = CONF.read_text().replace("127.0.0.1:8000;\n    keep", f"{behind};\n    keep")
        text = text.replace("127.0.0.1:8002", behind).replace(
            "listen 80;", f"listen 127.0.0.1:{free_port()};"
        )
        text = text.replace("listen 443", f"listen 127.0.0.1:{self.port}").replace(
            "/etc/ssl/spms", str(self.folder)
        )
        for old, new in replaced.items():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        return text

    def _write_certificate(self):
        options = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=spms"]
        options += ["-addext", "subjectAltName=IP:127.0.0.1"]
        files = ["-keyout", self.folder / "privkey.pem", "-out", self.folder / "fullchain.pem"]
        subprocess.run(["openssl", "req", "-x509", *options, *files], check=True, capture_output=True)

    def ask(self, path, method="GET", **options):
        return self.session.request(method, f"https://127.0.0.1:{self.port}{path}", timeout=60, **options)

    def connect(self):
        context = ssl.create_default_context(cafile=self.folder / "fullchain.pem")
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        return context.wrap_socket(plain, server_hostname="127.0.0.1")

    def open(self, path):
        """Send a request, and return the connection on which its answer will come."""
        connection = self.connect()
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: spms.example.org\r\n\r\n".encode())
        return connection


@pytest.fixture
def start(tmp_path):
    """Return a function that starts nginx with parts of the configuration replaced."""
    assert NGINX, "The tests need nginx. Run: apt-get install nginx"
    with contextlib.ExitStack() as stack:
        application = Application()
        stack.callback(application.server_close)
        stack.callback(application.shutdown)
        stack.callback(application.released.set)

        def start(replaced):
            proxy = Proxy(tmp_path, application, replaced)
            process = subprocess.Popen(proxy.command)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            wait_for(lambda: listens(proxy.port))
            return proxy

        yield start


def statuses(proxy, count, path, method="GET"):
    return [proxy.ask(path, method).status_code for _ in range(count)]


def test_nginx_accepts_the_configuration_without_a_warning(tmp_path, start):
    proxy = start({})
    tested = subprocess.run([*proxy.command, "-t"], capture_output=True, text=True)
    assert tested.returncode == 0, tested.stderr
    assert "spms.conf" not in tested.stderr + (tmp_path / "error.log").read_text()


def test_a_flood_of_requests_is_ended_with_a_problem(start):
    proxy = start({"rate=50r/s": "rate=1r/m"})
    assert statuses(proxy, 301, "/") == [200] * 301
    refused = proxy.ask("/")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "10")
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.json()["type"] == "urn:spms:problem:throttled"
    assert "max-age" in refused.headers["Strict-Transport-Security"]


@pytest.mark.parametrize("path", ["/login/", "/admin/login/", "/api/v1/auth/token/"])
def test_sign_ins_have_a_lower_rate_and_their_pages_have_not(path, start):
    proxy = start({"rate=30r/m": "rate=1r/m"})
    assert statuses(proxy, 22, path, "POST") == [200] * 21 + [429]
    assert statuses(proxy, 30, path) == [200] * 30
    assert proxy.ask("/api/v1/documents/", "POST").status_code == 200


def test_a_sign_in_of_megabytes_is_refused_and_an_upload_is_not(start):
    proxy = start({})
    megabytes = b"x" * 2**21
    assert proxy.ask("/api/v1/auth/token/", "POST", data=megabytes).status_code == 413
    assert proxy.ask("/api/v1/documents/1/images/", "POST", data=megabytes).status_code == 200


def test_connections_of_one_address_are_bounded(start):
    proxy = start({"spms_connections 200": "spms_connections 5"})
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(proxy.open(SLOW))
        wait_for(lambda: proxy.application.waiting == 5)
        assert proxy.ask("/").status_code == 429


def test_many_open_streams_leave_room_for_requests_and_stay_open(start):
    proxy = start({"spms_connections 200": "spms_connections 5"})
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(proxy.open(STREAM)) for _ in range(100)]
        assert all(b"data" in read_until(stream, b"data") for stream in streams)  # nothing is held back
        assert statuses(proxy, 20, "/") == [200] * 20
        proxy.application.released.set()
        assert all(b"done" in read_until(stream, b"done") for stream in streams)


def test_streams_of_one_address_are_bounded_as_well(start):
    proxy = start({"spms_streams 300": "spms_streams 3"})
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            read_until(stack.enter_context(proxy.open(STREAM)), b"data")
        assert proxy.ask(STREAM).status_code == 429


def test_a_client_that_sends_its_headers_too_slowly_is_ended(start):
    proxy = start({"client_header_timeout 15s": "client_header_timeout 1s"})
    with contextlib.closing(proxy.open("/")) as connection:
        read_until(connection, b"answered")
    slow = proxy.connect()
    with contextlib.closing(slow):
        slow.sendall(b"GET / HTTP/1.1\r\nHost: spms")
        assert slow.recv(1000) == b""


def read_until(connection, words):
    received = b""
    while words not in received and (part := connection.recv(4096)):
        received += part
    return received
