"""The door to the mail server: one connection for many letters, and the server's own words for each.

A letter is marked after the server has agreed to sender and receiver, right before its text is sent: only who
dies between that and the server's answer leaves it unknown whether it was sent.
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
    """The server will not take this letter: trying again is useless."""


class TransientFailure(Exception):
    """The server will perhaps take this letter later."""


class DeliveryUnknown(Exception):
    """The text was on its way and no answer came: the letter was perhaps sent."""


@contextlib.contextmanager
def open_connection() -> Iterator[BaseEmailBackend]:
    """Give a connection to the mail server. Raises MailServerAway."""
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
    """Send one letter to one receiver; return False, and send nothing, when ``mark`` does so.

    Raises Refused, PutOff, Unknown and MailServerAway.
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
    _agree(smtp, sender, receiver)
    if not mark():
        _forget(smtp)
        return False
    try:
        answer = smtp.data(content)
    except smtplib.SMTPDataError as error:
        answer = (error.smtp_code, _bytes(error.smtp_error))
    except (OSError, smtplib.SMTPException) as error:
        raise DeliveryUnknown(f"No answer came: {_words(error)}") from error
    _require(smtp, answer)
    return True


def _agree(smtp: smtplib.SMTP, sender: str, receiver: str) -> None:
    """Name sender and receiver to the server. A refused sender concerns all letters, not this one."""
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
    """Raise what a server's answer means for this letter: 4xx may pass, 5xx is final."""
    code, words = answer
    if 200 <= code < 300:
        return
    said = f"{code} {_text(words)}"
    _forget(smtp)
    raise TransientFailure(said) if 400 <= code < 500 else PermanentFailure(said)


def _forget(smtp: smtplib.SMTP) -> None:
    """Make the connection ready for the next letter; one that is gone is noticed there."""
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
