"""Ports for servers of benches and tests."""

import contextlib
import socket
from random import SystemRandom

# Below those that Linux and macOS give to outgoing connections: so a server that was stopped finds its port free
# again, and a client that asks for it in the meantime cannot be given that same port and meet itself.
PORTS = range(10_000, 32_768)


def free_port() -> int:
    """Return a port of this machine that nobody has."""
    random = SystemRandom()  # two processes of tests must not draw the same ports
    while True:
        port = random.choice(PORTS)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
