"""A webhook goes to an address that was judged before anything was sent, and to no other."""

import socket
import ssl
import subprocess
import threading

import pytest

from documents import exceptions
from documents.tasks.notifications import public_addresses, webhooks
from tests.receiver import KEY, Receiver

NAME = "localhost"
PUBLIC = ("93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "192.31.196.1", "2400:cb00::1")
REFUSED = (
    *("0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.168.0.1"),
    *("192.0.0.9", "192.0.2.1", "192.88.99.1", "198.18.0.1", "203.0.113.1", "224.0.0.1", "239.1.1.1"),
    *("240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::ffff:93.184.215.14", "::93.184.215.14", "64:ff9b::5db8:d70e", "64:ff9b:1::1", "100::1"),
    *("2001::1", "2001:1::1", "2001:20::1", "2001:db8::1", "2002:5db8:d70e::1", "3fff::1", "3fff:fff::1"),
    *("5f00::1", "fc00::1", "fe80::1", "fe80::1%1", "fec0::1", "ff02::1", "ff0e::1"),
)


class SecureReceiver(Receiver):
    """A receiver that speaks TLS, and notes connections and the names that clients ask for."""

    def __init__(self, certificate, key):
        super().__init__()
        self.connections = 0
        self.server_names: list[str | None] = []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.context.sni_callback = lambda _, name, __: self.server_names.append(name)

    def get_request(self):
        plain, client = super().get_request()
        self.connections += 1
        return self.context.wrap_socket(plain, server_side=True), client

    def url_for(self, host):
        return f"https://{host}:{self.server_port}/hook"


@pytest.fixture
def receiver_of(tmp_path, monkeypatch, settings):
    """Return a function that starts a server with a certificate for a name, which this process trusts."""
    servers = []

    def start(name):
        key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
        options = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
        options += ["-addext", f"subjectAltName=DNS:{name}", "-keyout", key, "-out", certificate]
        subprocess.run(["openssl", "req", "-x509", *options], check=True, capture_output=True)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        server = SecureReceiver(certificate, key)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    settings.SPMS_WEBHOOK_HOSTS = [NAME, "hooks.example.org"]
    settings.SPMS_WEBHOOK_SECRET = f"whsec_{KEY}"
    settings.SPMS_WEBHOOK_ALLOW_PRIVATE = True
    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def look_ups(monkeypatch):
    """Give a name the addresses of this list, one group for each look-up: tests cannot run the DNS of an attacker."""
    answers: list[list[str]] = []
    resolve = socket.getaddrinfo

    def look_up(host, port, *args, **options):
        if host == "hooks.example.org":
            return [entry for name in answers.pop(0) for entry in resolve(name, port, *args, **options)]
        return resolve(host, port, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return answers


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address):
    assert public_addresses.is_public(address)


@pytest.mark.parametrize("address", REFUSED)
def test_all_other_addresses_are_refused(address):
    assert not public_addresses.is_public(address)


def test_nothing_connects_to_a_private_address_not_even_for_tls(receiver_of, settings):
    server = receiver_of(NAME)
    settings.SPMS_WEBHOOK_ALLOW_PRIVATE = False
    with pytest.raises(exceptions.NotificationRefused, match="private address"):
        webhooks.send(server.url_for(NAME), "1", {})
    settings.SPMS_WEBHOOK_ALLOW_PRIVATE = True
    webhooks.send(server.url_for(NAME), "2", {})
    assert server.connections == 1


def test_one_private_address_among_public_ones_refuses_the_host(receiver_of, look_ups, settings):
    server = receiver_of("hooks.example.org")
    settings.SPMS_WEBHOOK_ALLOW_PRIVATE = False
    look_ups.append(["93.184.215.14", "127.0.0.1"])
    with pytest.raises(exceptions.NotificationRefused, match="private address"):
        webhooks.send(server.url_for("hooks.example.org"), "1", {})
    assert server.connections == 0


def test_a_host_is_looked_up_once_and_its_certificate_is_checked_by_name(receiver_of, look_ups):
    server = receiver_of("hooks.example.org")
    look_ups.append(["127.0.0.1"])  # a second look-up would find no answer
    assert webhooks.send(server.url_for("hooks.example.org"), "1", {}) == 204
    [(_, headers, _)] = server.got
    assert server.server_names == ["hooks.example.org"]
    assert headers["Host"] == f"hooks.example.org:{server.server_port}"


def test_a_certificate_of_another_name_is_refused(receiver_of, look_ups):
    server = receiver_of("elsewhere.example.org")
    look_ups.append(["127.0.0.1"])
    with pytest.raises(exceptions.NotificationFailed, match=r"doesn't match 'elsewhere\.example\.org'"):
        webhooks.send(server.url_for("hooks.example.org"), "1", {})
    assert server.got == []


def test_the_next_address_is_tried_when_the_first_cannot_be_reached(receiver_of, look_ups):
    server = receiver_of("hooks.example.org")
    look_ups.append(["127.0.0.9", "127.0.0.1"])  # nothing listens at the first
    assert webhooks.send(server.url_for("hooks.example.org"), "1", {}) == 204


def test_a_redirect_is_not_followed(receiver_of):
    server = receiver_of(NAME)
    server.answers = [302]
    with pytest.raises(exceptions.NotificationRefused, match="It answered 302"):
        webhooks.send(server.url_for(NAME), "1", {})
    assert len(server.got) == 1


def test_a_name_that_cannot_be_looked_up_is_a_failure_with_a_reason(settings):
    settings.SPMS_WEBHOOK_HOSTS = ["a" * 64 + ".example"]
    settings.SPMS_WEBHOOK_SECRET = f"whsec_{KEY}"
    with pytest.raises(exceptions.NotificationFailed, match="could not be reached"):
        webhooks.send(f"https://{'a' * 64}.example/", "1", {})
