"""Keep the drawn parts of annual reports, each under the fingerprint of what it shows."""

import logging
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from documents import store
from documents.models import DrawnPart

SUFFIX = ".part.pdf"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class New:
    """A part that was just drawn: its fingerprint, the id of the document whose text it shows, its file."""

    fingerprint: str
    document_id: int
    path: Path


def find(fingerprints: Iterable[str], folder: Path) -> dict[str, Path]:
    """Return where the parts are that were drawn before; what is in a bucket is copied to ``folder``."""
    found = DrawnPart.objects.filter(fingerprint__in=list(fingerprints))
    found.update(used_at=timezone.now())
    paths = ((part.fingerprint, _local(part.file, folder)) for part in found)
    return {fingerprint: path for fingerprint, path in paths if path}


def keep(parts: Iterable[New]) -> dict[str, Path]:
    """Keep parts, complete and synced, for the next report; return where they are now."""
    now = timezone.now()
    paths: dict[str, Path] = {}
    rows: list[DrawnPart] = []
    for part in parts:
        file = store.save(part.path, suffix=SUFFIX)
        paths[part.fingerprint] = store.local_path(file) or part.path
        rows.append(
            DrawnPart(fingerprint=part.fingerprint, document_id=part.document_id, file=file, used_at=now)
        )
    try:
        with transaction.atomic():
            DrawnPart.objects.bulk_create(
                rows, update_conflicts=True, unique_fields=["fingerprint"], update_fields=["file", "used_at"]
            )
    except IntegrityError:  # a chapter's document was deleted meanwhile: the files go with the next clean-up
        logger.info("%d drawn parts are not kept", len(rows))
    return paths


def forget(fingerprints: Iterable[str]) -> None:
    """Delete the rows of parts that are of no use."""
    DrawnPart.objects.filter(fingerprint__in=list(fingerprints)).delete()


def forget_unused() -> int:
    """Delete the rows of parts that no report used for ``SPMS_KEEP_TASKS``; return how many."""
    before = timezone.now() - timedelta(seconds=settings.SPMS_KEEP_TASKS)
    return DrawnPart.objects.filter(used_at__lt=before).delete()[0]


def _local(name: str, folder: Path) -> Path | None:
    """Return a path of a kept file on this machine, or None when it is gone."""
    if path := store.local_path(name):
        return path if path.exists() else None
    copy = folder / Path(name).name
    with store.plain_errors():
        try:
            with store.open_file(name) as source, copy.open("wb") as target:
                shutil.copyfileobj(source, target)
        except FileNotFoundError:
            return None
    return copy
