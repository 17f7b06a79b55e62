"""The cache of drawn parts of annual reports, each under the fingerprint of its content."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from documents.infrastructure import files, storage
from documents.models import DrawnPart

SUFFIX = ".part.pdf"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class CacheEntry:
    """A drawn part: its file and SHA-256, its fingerprint, and the id of the document whose text it shows."""

    fingerprint: str
    document_id: int
    path: Path
    digest: str


def get_many(fingerprints: Iterable[str], folder: Path) -> dict[str, Path]:
    """Return the paths of the cached parts that are intact; those of a bucket are copied to ``folder``.

    Raises StorageFull, StorageUnavailable.
    """
    parts = DrawnPart.objects.filter(fingerprint__in=list(fingerprints))
    parts.update(used_at=timezone.now())
    return {part.fingerprint: path for part in parts if (path := _intact_path(part, folder))}


def put_many(parts: Iterable[CacheEntry]) -> dict[str, Path]:
    """Store complete parts for the next report; return their new paths by fingerprint.

    Raises StorageFull, StorageUnavailable.
    """
    now = timezone.now()
    paths: dict[str, Path] = {}
    rows: list[DrawnPart] = []
    for part in parts:
        file = storage.save(part.path, suffix=SUFFIX, is_lasting=False)
        paths[part.fingerprint] = storage.local_path(storage.results(), file) or part.path
        rows.append(
            DrawnPart(
                fingerprint=part.fingerprint,
                document_id=part.document_id,
                digest=part.digest,
                file=file,
                used_at=now,
            )
        )
    try:
        with transaction.atomic():
            DrawnPart.objects.bulk_create(
                rows,
                update_conflicts=True,
                unique_fields=["fingerprint"],
                update_fields=["file", "digest", "used_at"],
            )
    except IntegrityError:  # a chapter's document was deleted: the next clean-up removes the files
        logger.info("%d drawn parts are not cached", len(rows))
    return paths


def delete(fingerprints: Iterable[str]) -> None:
    """Delete the rows of parts; the next clean-up removes their files."""
    DrawnPart.objects.filter(fingerprint__in=list(fingerprints)).delete()


def prune() -> int:
    """Delete the rows of parts that no report has used for ``SPMS_TASK_RETENTION``; return their number."""
    before = timezone.now() - timedelta(seconds=settings.SPMS_TASK_RETENTION)
    return DrawnPart.objects.filter(used_at__lt=before).delete()[0]


def _intact_path(part: DrawnPart, folder: Path) -> Path | None:
    """Return the path of a part's file on this machine, or None if the file is missing or damaged."""
    with storage.translate_storage_errors():
        try:
            path = storage.local_copy(storage.results(), part.file, folder)
            return path if files.hash_file(path) == part.digest else None
        except FileNotFoundError:
            return None
