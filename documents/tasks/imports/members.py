"""Compare the members that a row of projects names with the users and with the project's members."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import batched

from django.contrib.auth.models import User

from documents.models import Membership
from documents.models.mistakes import shortened
from documents.tasks.imports.row_results import Links, RowResult

COLUMN = "members"
SEPARATORS = re.compile(r"[\s,;]+")
MAX_NAMED = 3
NAMES_AT_ONCE = 5_000

# The id of a membership, of its user, and the position on the cover.
type Member = tuple[int, int, int]


def people(results: Iterable[RowResult]) -> Mapping[str, int]:
    """Return the ids of all users that the rows name, by username."""
    user_ids: dict[str, int] = {}
    names = (name for result in results for name in _named(result))
    for batch in batched(names, NAMES_AT_ONCE):  # a hostile cell holds hundreds of thousands
        user_ids.update(User.objects.filter(username__in=set(batch)).values_list("username", "pk"))
    return user_ids


def teams(project_ids: Iterable[int]) -> Mapping[int, Sequence[Member]]:
    """Return the members of each project, by its id."""
    members: dict[int, list[Member]] = defaultdict(list)
    rows = Membership.objects.filter(project__in=list(project_ids)).order_by("pk")
    for project_id, pk, user_id, position in rows.values_list("project_id", "pk", "user_id", "position"):
        members[project_id].append((pk, user_id, position))
    return members


def links(result: RowResult, user_ids: Mapping[str, int], team: Sequence[Member]) -> Links | None:
    """Return the links that make the team what a row says; None for an empty cell or an unknown username.

    Members who stay keep their role and position. New members follow them on the cover, where members with equal
    positions are ordered by id.
    """
    names = _named(result)
    if unknown := [name for name in names if name not in user_ids]:
        result.add_issue(COLUMN, _problem(unknown))
    if unknown or not names:
        return None
    named_ids = dict.fromkeys(user_ids[name] for name in names)
    member_ids = {user_id for _, user_id, _ in team}
    last = max((position for *_, position in team), default=0)
    return {
        "seen": [[pk, user_id] for pk, user_id, _ in team],
        "gone": [pk for pk, user_id, _ in team if user_id not in named_ids],
        "new": [{"user_id": pk, "position": last} for pk in named_ids if pk not in member_ids],
    }


def _named(result: RowResult) -> list[str]:
    """Return each username once; a cell of separators alone is like an empty one."""
    return list(dict.fromkeys(filter(None, SEPARATORS.split(result.text(COLUMN)))))


def _problem(unknown: Sequence[str]) -> str:
    names = ", ".join(map(shortened, unknown[:MAX_NAMED]))
    more = f" and {len(unknown) - MAX_NAMED:,} more" if len(unknown) > MAX_NAMED else ""
    return f"No user has the username {names}{more}. Correct the names, or add these people first."
