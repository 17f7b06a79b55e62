"""``manage.py backup``: write the database and the files into one archive, while the system runs."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from documents.exceptions import SpmsError
from documents.operations.backup import create
from documents.operations.backup.archive import KEY
from documents.operations.backup.manifest import BackupError, Manifest
from metrics import progress


class Command(BaseCommand):
    """Writes one archive, and prints its contents and what is missing."""

    help = "Write the database and the files into one archive. The system can keep running."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.epilog = "Examples: manage.py backup; manage.py backup /srv/backups --with-key"
        parser.add_argument("folder", nargs="?", type=Path, help="default: backups/ in SPMS_DATA_DIR")
        parser.add_argument("--with-key", action="store_true", help="include this installation's secret key")
        parser.add_argument("--with-bucket", action="store_true", help="include the files of a bucket")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the archive, print its summary, and print hints about what it lacks."""
        folder = options["folder"] or Path(settings.SPMS_DATA_DIR) / "backups"
        try:
            with progress.shown() as report:
                path, manifest = create.create(
                    folder, with_key=options["with_key"], with_bucket=options["with_bucket"], report=report
                )
        except (BackupError, SpmsError, OSError, DatabaseError) as error:
            raise CommandError(f"No backup was made. {' '.join(str(error).split())}") from error
        self.stdout.write(_summary(path, manifest))
        for hint in _hints(manifest):
            self.stdout.write(hint)


def _summary(path: Path, manifest: Manifest) -> str:
    counts = ", ".join(f"{count} {name}" for name, count in manifest.counts.items())
    return f"{path}: {path.stat().st_size / 1024**2:,.1f} MiB; {counts}; {len(manifest.sha256)} members."


def _hints(manifest: Manifest) -> list[str]:
    hints = []
    if manifest.files != "archive":
        hints.append(
            f"The files stay in {manifest.files}: keep them safe with the bucket's versioning, or repeat with"
            " --with-bucket to copy them."
        )
    if manifest.gone:
        hints.append(
            f"{manifest.gone} file(s) named in the database were missing, so the archive does not have them."
        )
    if KEY not in manifest.sha256:
        hints.append(
            "The secret key is not in it: keep a copy elsewhere, or everyone must sign in again after a restore."
        )
    return hints
