"""A real SMTP server that keeps what it gets and answers as it is told to."""

import asyncio
import contextlib
import email
import email.policy
from collections import Counter
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

from bench.ports import free_port

HOST = "127.0.0.1"


class Inbox:
    """What arrived, and how each receiver is answered: ``at_rcpt`` and ``at_data`` map addresses to answers."""

    def __init__(self, *, delay_seconds=0.0):
        self.delay_seconds = delay_seconds
        self.messages: list[email.message.EmailMessage] = []
        self.receivers: list[str] = []
        self.at_rcpt: dict[str, list[str]] = {}
        self.at_data: dict[str, list[str]] = {}
        self.at_mail: list[str] = []
        self.connections = 0
        self.is_held = False
        self.port = 0

    @property
    def url(self):
        return f"smtp://{HOST}:{self.port}"

    @contextlib.contextmanager
    def held(self):
        """Let no letter in for as long as this lasts: what a test does meanwhile happens while letters are sent."""
        self.is_held = True
        try:
            yield
        finally:
            self.is_held = False

    @property
    def ids(self):
        """How often each Message-ID arrived."""
        return Counter(message["Message-ID"] for message in self.messages)

    @property
    def addresses(self):
        # Without To if all receivers are hidden; aiosmtpd reads this property at each connection.
        return sorted(str(message["To"] or "") for message in self.messages)

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_MAIL(self, server, session, envelope, address, options):
        while self.is_held:
            await asyncio.sleep(0.05)
        if self.at_mail:
            return self.at_mail.pop(0)
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if answers := self.at_rcpt.get(address):
            return answers.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        [address] = envelope.rcpt_tos
        if answers := self.at_data.get(address):
            if (answer := answers.pop(0)) != "hang up":
                return answer
            server.transport.abort()
            return "250 nobody hears this"
        self.messages.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        self.receivers.append(address)
        await asyncio.sleep(self.delay_seconds)  # it is there, and its sender does not know it yet
        return "250 OK"


class Server(SMTP):
    """Closes its end of a connection whose client left without QUIT; aiosmtpd leaves that to the collector."""

    def eof_received(self):
        super().eof_received()
        return False


class InboxController(Controller):
    def factory(self):
        return Server(self.handler, **self.SMTP_kwargs)


@contextlib.contextmanager
def receiving(**options):
    """Give an inbox whose server runs."""
    inbox: Any = Inbox(**options)
    inbox.port = free_port()
    controller = InboxController(inbox, hostname=HOST, port=inbox.port, ready_timeout=120)
    controller.start()
    yield inbox
    controller.stop()
