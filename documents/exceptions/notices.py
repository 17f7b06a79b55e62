"""Errors of notices, letters, cycles and scheduled reports."""

from http import HTTPStatus

from documents.exceptions.base import SpmsError


class NotificationError(SpmsError):
    """A notification did not reach its receiver."""

    slug = "notice-error"
    title = "The notice was not sent"


class NotificationRefused(NotificationError):
    """The receiver or our own rules refuse the notification permanently."""

    slug = "notice-refused"
    title = "The notice was refused"


class NotificationFailed(NotificationError):
    """The receiver could not be reached, or answered with an error."""

    slug = "notice-failed"
    title = "The notice did not arrive"
    status = HTTPStatus.BAD_GATEWAY
    is_transient = True


class MailServerUnavailable(SpmsError):
    """The mail server cannot be reached, or refuses mail temporarily."""

    slug = "mail-server-away"
    title = "The mail server takes no mail"
    status = HTTPStatus.BAD_GATEWAY
    is_transient = True


class CycleExists(SpmsError):
    """A cycle for this year exists already."""

    slug = "cycle-exists"
    title = "This cycle was opened before"
    status = HTTPStatus.CONFLICT


class CycleStateConflict(SpmsError):
    """The action is not possible in the current state of the cycle or the letter."""

    slug = "cycle-state"
    title = "The cycle or its letter is in another state"
    status = HTTPStatus.CONFLICT


class InvalidCronExpression(SpmsError):
    """The cron expression is malformed, never matches, or matches too often."""

    slug = "cron-refused"
    title = "This time cannot be used"
    status = HTTPStatus.BAD_REQUEST


class ReportRefused(SpmsError):
    """A scheduled report cannot be begun."""

    slug = "report-refused"
    title = "The report cannot be made"
    status = HTTPStatus.CONFLICT
