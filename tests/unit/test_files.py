"""Files are copied, hashed and synced in one way."""

import hashlib
import io

import pytest

from documents.infrastructure import files

CONTENT = b"a part of a river " * 100_000


class Trickle(io.BytesIO):
    """A stream that gives fewer bytes than it was asked for, as a socket does."""

    def read(self, size=-1):
        return super().read(min(size, 1000))


@pytest.mark.parametrize("source", [io.BytesIO, Trickle])
def test_a_copy_is_whole_and_comes_with_its_hash_and_size(tmp_path, source):
    path = tmp_path / "copy"
    with files.write_durably(path) as target:
        digest, size_bytes = files.copy_hashed(source(CONTENT), target)
    assert path.read_bytes() == CONTENT
    assert (digest, size_bytes) == (hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))
    assert files.sync_and_hash(path) == (digest, size_bytes)


def test_a_file_is_synced_after_all_of_it_was_written(tmp_path, monkeypatch):
    sizes = []
    path = tmp_path / "table"
    monkeypatch.setattr("os.fsync", lambda _: sizes.append(path.stat().st_size))
    with files.write_durably(path, "w", encoding="utf-8") as stream:
        stream.write("text")
    assert sizes == [4]
