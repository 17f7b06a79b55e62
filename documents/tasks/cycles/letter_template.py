"""The template of a letter: plain text with placeholders, checked when it is stored."""

import re
from dataclasses import dataclass
from datetime import date

from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import EmailMessage

from documents import characters
from documents.models.cycles import Cycle, Letter

PLACEHOLDERS = ("name", "year", "due", "projects", "url")
MAX_TEXT_CHARACTERS = 10_000
SUBJECT = "Reports for {year} are due on {due}"
TEXT = """\
Dear {name},

the reporting cycle {year} is open. Please write the reports of your projects until {due}:

{projects}

Your documents are at {url}
"""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, kw_only=True)
class LetterText:
    """The subject and the text of a rendered letter."""

    subject: str
    text: str


def find_problem(text: str, *, is_subject: bool = False) -> str:
    """Return why a template cannot be used, or an empty text if it can."""
    unknown = sorted({name for name in _PLACEHOLDER.findall(text) if name not in PLACEHOLDERS})
    if unknown:
        placeholders = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        return f"There is no placeholder {{{unknown[0]}}}. The placeholders are: {placeholders}."
    if is_subject and _CONTROL.search(text):
        return "A subject must be one line without control characters."
    return ""


def render(cycle: Cycle, person: User, projects: list[str]) -> LetterText:
    """Return the letter of a cycle to one person. Placeholders inside inserted values are not replaced."""
    values = {
        "name": person.get_full_name() or person.get_username(),
        "year": f"{cycle.year - 1}-{cycle.year}",
        "due": format_day(cycle.due),
        "projects": "\n".join(f"- {project}" for project in projects),
        "url": f"{settings.SPMS_URL}/",
    }
    subject, text = (
        _PLACEHOLDER.sub(lambda match: values[match[1]], template) for template in (cycle.subject, cycle.text)
    )
    subject = " ".join(characters.one_line(subject).split())
    return LetterText(subject=subject, text=characters.plain_lines(text))


def message(cycle: Cycle, letter: Letter) -> EmailMessage:
    """Return the mail. Every attempt has the same Message-ID, so that a server may drop a second copy."""
    written = render(cycle, letter.person, letter.projects)
    headers = {"Message-ID": letter.message_id, "Auto-Submitted": "auto-generated"}
    return EmailMessage(written.subject, written.text, to=[letter.address], headers=headers)


def format_day(value: date) -> str:
    """Return a date for people, such as 30 June 2026."""
    return f"{value.day} {value:%B %Y}"
