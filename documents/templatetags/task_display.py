"""What people read of a task, whatever its kind."""

from django import template

from documents.models import Task
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
def result_url(task: Task) -> str | None:
    """Return the address of the file that a task made, or None while it has none."""
    return registry.result_url(task)
