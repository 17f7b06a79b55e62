"""``manage.py restore``: restore an archive of ``manage.py backup``."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from documents.exceptions import SpmsError
from documents.operations.backup import restore
from documents.operations.backup.archive import KEY
from documents.operations.backup.manifest import BackupError
from metrics import progress


class Command(BaseCommand):
    """Checks the archive, restores the files and the database, and migrates."""

    help = "Restore an archive of the backup command into an empty system that is not running."
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.epilog = (
            "Examples: manage.py restore spms-20260630T020000Z.tar; manage.py restore ARCHIVE --replace"
        )
        parser.add_argument("archive", type=Path)
        parser.add_argument(
            "--replace", action="store_true", help="replace the data in this system's database"
        )
        parser.add_argument(
            "--force", action="store_true", help="restore even if parts of the system seem to be running"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Restore the archive and print a summary."""
        try:
            with progress.shown() as report:
                manifest = restore.restore(
                    options["archive"],
                    is_replacing=options["replace"],
                    is_forced=options["force"],
                    report=report,
                )
        except (BackupError, SpmsError, OSError, DatabaseError) as error:
            raise CommandError(f"Not restored. {' '.join(str(error).split())}") from error
        counts = ", ".join(f"{count} {name}" for name, count in manifest.counts.items())
        self.stdout.write(
            f"Restored the system of {manifest.made_at} (version {manifest.version}): {counts}."
        )
        if manifest.files != "archive":
            self.stdout.write(
                f"The files are not in the archive; they are in {manifest.files} (SPMS_FILE_STORAGE)."
            )
        if KEY not in manifest.sha256:
            self.stdout.write(
                "The archive has no secret key: restore your copy of it, or everyone must sign in again."
            )
