"""What people read of a task, whatever its kind."""

import uuid
from collections.abc import Mapping

from django import template

from documents.exceptions import SpmsError
from documents.models import Task, host_of
from documents.queue import registry

register = template.Library()


@register.filter
def kind_title(kind: str) -> str:
    """Return what people call a kind of task, in the middle of a sentence."""
    return registry.title_of(kind)


@register.filter
def subject(task: Task) -> str:
    """Return what a task is about: its document, or else its kind."""
    title = registry.title_of(task.kind)
    return str(task.document or title[:1].upper() + title[1:])


@register.filter
def progress(task: Task) -> str:
    """Return how far a task is: its phase, and how many pages (or rows, or mails) are done."""
    phase = task.phase or "begins"
    return (
        f"{phase}, {task.pages_done:,} {registry.progress_unit_of(task.kind)}" if task.pages_done else phase
    )


@register.filter
def meaning(error: type[SpmsError]) -> str:
    """Return what an error means: the first paragraph that its class says about itself."""
    return " ".join((error.__doc__ or "").partition("\n\n")[0].replace("``", "").split())


@register.filter
def host(name: str) -> str:
    """Return the host in the name of a cluster or a worker."""
    return host_of(name)


@register.filter
def share_done(task: Task, fractions: Mapping[uuid.UUID, float | None]) -> str:
    """Return the value of a progress bar, 0 to 1; nothing where the length of the task is unknown."""
    fraction = fractions.get(task.pk)
    return "" if fraction is None else f"{fraction:.2f}"


@register.filter
def result_url(task: Task) -> str | None:
    """Return the address of the file that a task made, or None while it has none."""
    return registry.result_url(task)
