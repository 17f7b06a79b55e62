"""Send many letters over one connection to the mail server, and keep the server's reply to each.

A letter is marked after the server has accepted sender and receiver, right before its text is sent. Only if the
worker dies between the mark and the server's reply is it unknown whether the letter was sent.
"""

import contextlib
import smtplib
from collections.abc import Callable, Iterator
from email import policy
from typing import Any

from django.core.mail import EmailMessage, mailers
from django.core.mail.backends.base import BaseEmailBackend

from documents.exceptions import MailServerUnavailable

type Mark = Callable[[], bool]


class PermanentFailure(Exception):
    """The server refused this letter for good."""


class TransientFailure(Exception):
    """The server refused this letter for now."""


class DeliveryUnknown(Exception):
    """The text was sent and no reply came: the letter was perhaps delivered."""


@contextlib.contextmanager
def open_connection() -> Iterator[BaseEmailBackend]:
    """Yield a connection to the mail server. Raises MailServerUnavailable."""
    backend = mailers.default
    try:
        backend.open()
    except (OSError, smtplib.SMTPException) as error:
        raise MailServerUnavailable(f"It could not be reached: {_words(error)}"[:300]) from error
    try:
        yield backend
    finally:
        with contextlib.suppress(OSError, smtplib.SMTPException):
            backend.close()


def send(backend: BaseEmailBackend, message: EmailMessage, mark: Mark) -> bool:
    """Send a letter to its receiver; if ``mark`` returns False, send nothing and return False.

    Raises PermanentFailure, TransientFailure, DeliveryUnknown and MailServerUnavailable.
    """
    smtp = getattr(backend, "connection", None)
    if isinstance(smtp, smtplib.SMTP):
        return _send(backend, smtp, message, mark)
    if not mark():
        return False
    try:
        backend.send_messages([message])
    except (OSError, smtplib.SMTPException) as error:
        raise DeliveryUnknown(_words(error)) from error
    return True


def _send(backend: Any, smtp: smtplib.SMTP, message: EmailMessage, mark: Mark) -> bool:
    try:
        sender = backend.prep_address(message.from_email)
        receiver = backend.prep_address(message.to[0])
        content = message.message(policy=policy.SMTP).as_bytes()
    except ValueError as error:
        raise PermanentFailure(str(error)) from error
    _send_envelope(smtp, sender, receiver)
    if not mark():
        _reset(smtp)
        return False
    try:
        answer = smtp.data(content)
    except smtplib.SMTPDataError as error:
        answer = (error.smtp_code, _bytes(error.smtp_error))
    except (OSError, smtplib.SMTPException) as error:
        raise DeliveryUnknown(f"No answer came: {_words(error)}") from error
    _require(smtp, answer)
    return True


def _send_envelope(smtp: smtplib.SMTP, sender: str, receiver: str) -> None:
    """Send sender and receiver to the server. Raises MailServerUnavailable if the sender is refused."""
    try:
        smtp.ehlo_or_helo_if_needed()
        code, words = smtp.mail(sender)
        if code != 250:
            raise MailServerUnavailable(f"It does not take mail from {sender}: {code} {_text(words)}"[:300])
        answer = smtp.rcpt(receiver)
    except (OSError, smtplib.SMTPException) as error:
        raise MailServerUnavailable(f"It closed the connection: {_words(error)}"[:300]) from error
    _require(smtp, answer)


def _require(smtp: smtplib.SMTP, answer: tuple[int, bytes]) -> None:
    """Raise TransientFailure for a reply of 4xx and PermanentFailure for 5xx."""
    code, words = answer
    if 200 <= code < 300:
        return
    reply = f"{code} {_text(words)}"
    _reset(smtp)
    raise TransientFailure(reply) if 400 <= code < 500 else PermanentFailure(reply)


def _reset(smtp: smtplib.SMTP) -> None:
    """Make the connection ready for the next letter, which will notice a lost connection."""
    with contextlib.suppress(OSError, smtplib.SMTPException):
        smtp.rset()


def _words(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_text(_bytes(error.smtp_error))}"
    return str(error) or type(error).__name__


def _bytes(words: bytes | str) -> bytes:
    return words if isinstance(words, bytes) else words.encode()


def _text(words: bytes) -> str:
    return " ".join(words.decode(errors="replace").split())
