"""Reading files as imports do."""

import pytest

from documents import exceptions
from documents.tasks.imports import reader as import_reader

KNOWN = ("tag", "title", "year")
HEAD = "tag,title,year\n"


def reader(folder):
    """Return a function that gives the head and all rows of a file with this content."""

    def read(content):
        path = folder / "source"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        head, rows = import_reader.read_table(path, columns=KNOWN, required=("tag",))
        return head, [*rows]

    return read


def said(read, content):
    with pytest.raises(exceptions.ImportUnreadable) as caught:
        read(content)
    return str(caught.value)
