"""The process that opens uploaded images and draws first pages: one at a time, in bounded time and memory.

Started by ``guard`` as ``python -m documents.tasks.images.child MEMORY_BYTES``. It reads one JSON object a line
from standard input, answers each with one on standard output, and ends when its input is closed. It knows neither
the settings nor the database.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError

from documents.infrastructure import processes
from documents.tasks.images import page_drawing, processing
from documents.tasks.images.processing import PreparedImage

NICENESS = 2
CONTENT, THUMBNAIL = "content", "thumbnail"
FIRST_PAGE = "first_page"


def main() -> None:
    """Answer jobs until standard input is closed."""
    processes.limit_memory(int(sys.argv[1]))
    os.nice(NICENESS)  # behind the web process, before renders
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
        sys.stdout.flush()


def answer(job: dict[str, Any]) -> dict[str, Any]:
    """Do one job and return its result, or the reason why the image is refused."""
    processes.limit_cpu(job["cpu_seconds"])
    path = Path(job["path"])
    try:
        if job["name"] == FIRST_PAGE:
            page_drawing.draw_first_page(path, Path(job["folder"]) / CONTENT)
            return {}
        if job["name"] == "is_large":
            with path.open("rb") as stream:
                return {"is_large": processing.is_large(stream)}
        with path.open("rb") as stream:
            return _write(processing.prepare(stream), Path(job["folder"]))
    except ValidationError as error:
        return {"refused": " ".join(error.messages)}
    except MemoryError:
        return {"refused": "This image needs too much memory; save it as a plain JPEG or PNG and send that."}


def _write(prepared: PreparedImage, folder: Path) -> dict[str, Any]:
    """Write both files of an image into a folder and return what else there is to know."""
    (folder / CONTENT).write_bytes(prepared.content)
    (folder / THUMBNAIL).write_bytes(prepared.thumbnail)
    return {"suffix": prepared.suffix, "size": prepared.size, "note": prepared.note}


if __name__ == "__main__":
    main()
