"""A real server that takes webhooks."""

import base64
import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOST = "127.0.0.1"
KEY = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()  # what signs


class Receiver(ThreadingHTTPServer):
    """A server that keeps what it gets and answers with what it is told to."""

    daemon_threads = True

    def __init__(self):
        super().__init__((HOST, 0), Handler)
        self.got, self.answers = [], []

    @property
    def url(self):
        return f"http://{HOST}:{self.server_port}/hook?from=spms"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), body.decode(errors="surrogateescape")))
        self.send_response(self.server.answers.pop(0) if self.server.answers else 204)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def receiving():
    """Give a server that runs."""
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
