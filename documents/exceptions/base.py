"""The base class of every error that users see: its slug, title and HTTP status."""

from http import HTTPStatus
from typing import ClassVar


class SpmsError(Exception):
    """A fault that no other error describes; the server's log has its traceback.

    It is the base class of the errors of this project.
    ``str(error)`` is the detail for people; ``slug`` names the problem type (RFC 9457) and stays stable;
    ``extra`` are further members of the problem.
    """

    slug: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Something went wrong on the server"
    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    retry_after_seconds: ClassVar[int | None] = None
    # Whether the queue tries again later, as the next attempt may succeed.
    is_transient: ClassVar[bool] = False

    def __init__(self, detail: str = "", **extra: object) -> None:
        super().__init__(detail)
        self.extra = extra

    def to_json(self) -> dict[str, object]:
        """Return the problem details that a task's ``error`` column stores."""
        return {"type": self.slug, "title": self.title, "status": int(self.status), "detail": str(self)}

    @classmethod
    def by_slug(cls, slug: str) -> type["SpmsError"]:
        """Return the error class with this slug, or the base class for an unknown one."""
        if cls.slug == slug:
            return cls
        candidates = (child.by_slug(slug) for child in cls.__subclasses__())
        return next((error for error in candidates if error.slug == slug), SpmsError)
