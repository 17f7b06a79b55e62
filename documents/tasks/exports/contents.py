"""The ids of an export's rows, so that its file is served only to people who may still read all of them."""

from collections.abc import Iterable

from documents.models import Document, Project, Task, Viewer
from documents.queue import leases
from documents.tasks.exports import spec

CONTENTS = "contents"


def record(task: Task, user: Viewer, ids: Iterable[int]) -> None:
    """Store the ids of the rows of a running export with its task; not for staff, who may read every row."""
    arguments = {name: value for name, value in task.arguments.items() if name != CONTENTS}
    if not user.is_staff:
        arguments[CONTENTS] = [*ids]
    leases.held_by(task).update(arguments=arguments)


def may_read(task: Task, user: Viewer) -> bool:
    """Return True if a person may read every row of an export now.

    An export without ids is for staff: it was made by staff, or before the ids were stored.
    """
    if user.is_staff:
        return True
    ids = task.arguments.get(CONTENTS)
    if ids is None:
        return False
    model = Project if task.arguments["what"] == spec.PROJECTS else Document
    return set(ids) <= set(model.objects.for_user(user).values_list("pk", flat=True))
