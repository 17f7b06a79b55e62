"""``manage.py load_sample_data``: fill an empty installation with people, projects and documents."""

import os
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from documents.samples.loader import Summary, load, other_users, taken_names
from metrics import progress


class Command(BaseCommand):
    """Stores the sample data; a second run changes nothing."""

    help = "Fill the database with invented people, projects and documents, to try and test SPMS."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the option for a database that is in use."""
        parser.epilog = (
            "Examples: manage.py load_sample_data; SPMS_DATA_DIR=/tmp/try manage.py load_sample_data"
        )
        parser.add_argument(
            "--really",
            action="store_true",
            help="load the data even if the database has users; everyone knows the sample passwords",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Refuse production and databases in use, load the data, and print how to log in."""
        _refuse_in_production()
        _refuse_if_in_use(really=options["really"])
        with progress.shown() as report:
            summary = load(report)
        self.stdout.write(_changes(summary))
        self.stdout.write(_how_to_try(summary))


def _refuse_in_production() -> None:
    if settings.SPMS_HTTPS:
        raise CommandError(
            "This is production (SPMS_HTTPS), and everyone knows the sample passwords: try SPMS elsewhere."
        )


def _refuse_if_in_use(*, really: bool) -> None:
    if taken := taken_names():
        raise CommandError(
            f"This database has users with the names of sample users ({', '.join(taken)}): rename those users first."
        )
    if (others := other_users()) and not really:
        raise CommandError(
            f"This database has {len(others)} user(s) already ({others[0]}), and everyone knows the sample"
            " passwords: use another SPMS_DATA_DIR or DATABASE_URL, or repeat with --really."
        )


def _changes(summary: Summary) -> str:
    counts = ", ".join(f"{count} {name}" for name, count in summary.created.items() if count)
    return (
        f"Sample data loaded: {counts}." if counts else "The sample data is loaded already; nothing changed."
    )


def _how_to_try(summary: Summary) -> str:
    width = max(len(login.person.username) for login in summary.logins)
    logins = (
        f"  {person.username:<{width}}  {person.password:<20}  {person.first_name} {person.last_name}"
        for person in (login.person for login in summary.logins)
    )
    authorization = f"Authorization: Token {summary.maintainer_token}"
    lines = ["", "Log in as (user name, password):", *logins, "", authorization, "", "To make a PDF, run:"]
    return "\n".join([*lines, _curl(authorization, summary.example_id)])


def _curl(authorization: str, document_id: int) -> str:
    port = os.environ.get("PORT", "8000")
    url = f"http://127.0.0.1:{port}/api/v1/documents/{document_id}/pdf/"
    ask = f"curl -fsS -X POST -H '{authorization}' -o /dev/null {url}"
    return f"{ask} && curl -fsS -H '{authorization}' -o sample.pdf {url}"
