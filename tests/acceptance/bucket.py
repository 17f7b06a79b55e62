"""A real S3-compatible server as a process of its own, behind a door that can be shut."""

import contextlib
import selectors
import socket
import subprocess
import sys
import threading

import boto3
import requests

from bench.ports import free_port
from tests.waiting import wait_for

KEYS = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "tests of SPMS"}
NAME = "spms-tests"


class Server:
    """moto's server with one bucket."""

    def __init__(self):
        port = free_port()
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.address = f"http://127.0.0.1:{port}"
        wait_for(self._is_up)
        self.client = boto3.client(
            "s3",
            endpoint_url=self.address,
            region_name="us-east-1",
            **{name.lower(): value for name, value in KEYS.items()},
        )
        self.client.create_bucket(Bucket=NAME)
        self.door = Door(port)

    def _is_up(self):
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"{self.address}/moto-api/", timeout=2).status_code < 500

    def settings(self, prefix):
        """Return the settings of a system whose files are here."""
        return {"SPMS_FILE_STORAGE": f"s3://{NAME}/{prefix}", "SPMS_S3_ENDPOINT": self.door.address, **KEYS}

    def keys(self, prefix):
        objects = self.client.list_objects_v2(Bucket=NAME, Prefix=prefix).get("Contents", ())
        return [stored["Key"] for stored in objects]

    def remove(self):
        self.door.shut()
        self._process.kill()
        self._process.wait()


class Door:
    """Carries bytes to a port while it is open, and counts what comes back."""

    def __init__(self, to_port):
        self._to_port = to_port
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.bytes_out = 0
        self._open = []
        self.open()

    def open(self):
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def shut(self):
        """Refuse new connections and cut those that are there."""
        for connection in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._open.clear()

    def _accept(self, listener):
        with contextlib.suppress(OSError):
            while True:
                inside = listener.accept()[0]
                outside = socket.create_connection(("127.0.0.1", self._to_port))
                self._open += [inside, outside]
                threading.Thread(target=self._carry, args=(inside, outside), daemon=True).start()

    def _carry(self, inside, outside):
        with (
            inside,
            outside,
            selectors.DefaultSelector() as selector,
            contextlib.suppress(OSError, ValueError),
        ):
            selector.register(inside, selectors.EVENT_READ, (inside, outside))
            selector.register(outside, selectors.EVENT_READ, (outside, inside))
            while True:
                for key, _ in selector.select():
                    source, target = key.data
                    data = source.recv(65_536)
                    if not data:
                        return
                    target.sendall(data)
                    self.bytes_out += len(data) if source is outside else 0
