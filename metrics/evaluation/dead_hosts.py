"""Remove the folders of counts that hosts left behind which have not counted for a month."""

import shutil
from datetime import datetime, timedelta
from pathlib import Path

from metrics.collection import process_slots

# As long as snapshots are kept: later, nothing of a host is read any more.
SILENT = timedelta(days=31)


def remove(at: datetime) -> int:
    """Remove the folders of hosts whose files nobody wrote for ``SILENT``; return how many."""
    own = process_slots.folder()
    silent = [
        folder
        for folder in own.parent.iterdir()
        if folder != own and folder.is_dir() and _written_at(folder) < (at - SILENT).timestamp()
    ]
    for folder in silent:
        shutil.rmtree(folder, ignore_errors=True)  # another host may be removing it
    return len(silent)


def _written_at(folder: Path) -> float:
    """Return when a file of a folder was last written, in seconds since 1970; counting writes one all the time."""
    return max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
