"""The members that a row of projects names, against the people that there are and those who belong to it."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import batched

from django.contrib.auth.models import User

from documents.models import Membership
from documents.tasks.imports.row_results import Links, RowResult, shortened

COLUMN = "members"
SEPARATORS = re.compile(r"[\s,;]+")
MAX_NAMED = 3
NAMES_AT_ONCE = 5_000

# The id of a membership, of its person, and the position on the cover.
type Member = tuple[int, int, int]


def people(verdicts: Iterable[RowResult]) -> Mapping[str, int]:
    """Return the ids of those who are named anywhere, by their usernames."""
    found: dict[str, int] = {}
    names = (name for verdict in verdicts for name in _named(verdict))
    for some in batched(names, NAMES_AT_ONCE):  # a hostile cell holds hundreds of thousands
        found.update(User.objects.filter(username__in=set(some)).values_list("username", "pk"))
    return found


def teams(project_ids: Iterable[int]) -> Mapping[int, Sequence[Member]]:
    """Return who belongs to these projects."""
    found: dict[int, list[Member]] = defaultdict(list)
    rows = Membership.objects.filter(project__in=list(project_ids)).order_by("pk")
    for project_id, pk, user_id, position in rows.values_list("project_id", "pk", "user_id", "position"):
        found[project_id].append((pk, user_id, position))
    return found


def links(verdict: RowResult, known: Mapping[str, int], team: Sequence[Member]) -> Links | None:
    """Return how the team becomes what a row says, or None: it says nothing, or it names somebody unknown.

    Who stays keeps role and position. Who is new comes after them on the cover, where equal positions are in the
    order of their ids.
    """
    names = _named(verdict)
    if unknown := [name for name in names if name not in known]:
        verdict.add_issue(COLUMN, _problem(unknown))
    if unknown or not names:
        return None
    wanted = dict.fromkeys(known[name] for name in names)
    there = {user_id for _, user_id, _ in team}
    last = max((position for *_, position in team), default=0)
    return {
        "seen": [[pk, user_id] for pk, user_id, _ in team],
        "gone": [pk for pk, user_id, _ in team if user_id not in wanted],
        "new": [{"user_id": one, "position": last} for one in wanted if one not in there],
    }


def _named(verdict: RowResult) -> list[str]:
    """Return each name once; none for a cell of separators, which says no more than an empty one."""
    return list(dict.fromkeys(filter(None, SEPARATORS.split(verdict.text(COLUMN)))))


def _problem(unknown: Sequence[str]) -> str:
    names = ", ".join(map(shortened, unknown[:MAX_NAMED]))
    more = f" and {len(unknown) - MAX_NAMED:,} more" if len(unknown) > MAX_NAMED else ""
    return f"Nobody has the username {names}{more}. Correct the names, or add these people first."
