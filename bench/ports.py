"""Ports for servers of benches and tests."""

import contextlib
import os
import socket
from random import SystemRandom

# Below those that Linux and macOS give to outgoing connections: so a server that was stopped finds its port free
# again, and a client that asks for it in the meantime cannot be given that same port and meet itself.
PORTS = range(10_000, 32_768)
# Many are drawn long before a server listens there: each process of tests has ports of its own.
MAX_TEST_PROCESSES = 16
_drawn: set[int] = set()


def free_port() -> int:
    """Return a port of this machine that nobody has, another one each time."""
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    own, random = PORTS[process % MAX_TEST_PROCESSES :: MAX_TEST_PROCESSES], SystemRandom()
    while True:
        port = random.choice(own)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            if port not in _drawn:
                _drawn.add(port)
                return port
