"""Whatever an archive contains, reading it ends with a manifest or with one line that says what is wrong."""

import copy
import hashlib
import io
import json
import tarfile

import pytest
from hypothesis import given, settings, strategies as st

from documents.operations.backup import archive
from documents.operations.backup.manifest import MAX_COUNT, BackupError, Manifest, parse

DIGEST = hashlib.sha256(b"data").hexdigest()
VALID = {
    "format": 1,
    "version": "0.1.0",
    "engine": "sqlite",
    "made_at": "2026-11-27T07:00:00+00:00",
    "migrations": ["documents.0001_initial"],
    "counts": {"users": 3},
    "files": "archive",
    "gone": 0,
    "sha256": {"database.sqlite3": DIGEST},
}
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(
        [10**30, -1, MAX_COUNT + 1, "\ud800", "\x1b[2J", "٣.١", "9" * 5000, "1." * 5000, DIGEST]
    )
)
JSON_VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=6
)


def read(text):
    """Return the manifest of a text, or the line that refuses it, which a terminal can show."""
    try:
        return parse(text)
    except BackupError as error:
        line = str(error)
    line.encode()
    assert len(line) < 1000
    return line


def archive_with(text, members=(("database.sqlite3", b"data"),)):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:") as tar:
        for name, data in [*members, ("manifest.json", text)]:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return stream


def test_a_valid_manifest_is_read():
    assert read(json.dumps(VALID).encode()) == Manifest(**VALID)  # type: ignore[arg-type]


@given(JSON_VALUES)
def test_any_json_is_refused_in_one_line(value):
    assert isinstance(read(json.dumps(value).encode()), str)


@given(st.sampled_from(sorted(VALID)), JSON_VALUES)
def test_any_value_of_any_member_is_accepted_as_its_type_or_refused(name, value):
    manifest = read(json.dumps(VALID | {name: value}).encode())
    if isinstance(manifest, Manifest):
        assert type(getattr(manifest, name)) is type(VALID[name])


@given(st.sampled_from(["counts", "migrations", "sha256"]), JSON_VALUES, st.text())
def test_any_value_within_a_member_is_accepted_as_its_type_or_refused(name, value, key):
    values = copy.deepcopy(VALID)
    members = values[name]
    if isinstance(members, list):
        members.append(value)
    else:
        members[key] = value  # type: ignore[index]
    manifest = read(json.dumps(values).encode())
    if isinstance(manifest, Manifest):
        assert type(value) is (int if name == "counts" else str)


@pytest.mark.parametrize("name", sorted(VALID))
def test_a_missing_member_is_refused(name):
    values = {key: value for key, value in VALID.items() if key != name}
    assert "must have the members" in read(json.dumps(values).encode())


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 200_000,
        b"[" * 200_000 + b"]" * 200_000,
        b'{"format":' * 100_000,
        b'{"format": ' + b"9" * 5000 + b"}",
        b'{"format": 1e999}',
        b'{"format": NaN}',
        b"\xff\xfe",
        b"",
        b"\0" * 512,
        b"null",
    ],
    ids=range(10),
)
def test_a_text_that_is_no_manifest_is_refused(text):
    assert "manifest of this archive cannot be read" in read(text)
    with pytest.raises(BackupError):
        archive.verify(archive_with(text))


@pytest.mark.parametrize(
    "digests",
    [
        {},
        {"database.sqlite3": "0" * 64},
        {"database.sqlite3": DIGEST, "results/missing.pdf": DIGEST},
        {"database.sqlite3": DIGEST, "\ud800\x1b[2J": DIGEST},
        {"manifest.json": DIGEST},
    ],
)
def test_a_list_of_files_that_does_not_fit_names_the_first_difference(digests):
    stream = archive_with(json.dumps(VALID | {"sha256": digests}).encode())
    with pytest.raises(BackupError, match="does not match the manifest") as refusal:
        archive.verify(stream)
    assert str(refusal.value).isprintable()


def test_a_chain_of_headers_is_refused():
    header = tarfile.TarInfo("long")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 0
    stream = io.BytesIO(header.tobuf(tarfile.GNU_FORMAT) * 5000 + b"\0" * 1024)
    with pytest.raises(BackupError, match="not a complete archive"):
        archive.verify(stream)


@pytest.mark.parametrize("size", [2**40, 2**62])
@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.REGTYPE])
def test_a_header_of_a_size_that_no_disk_has_is_refused(size, kind):
    header = tarfile.TarInfo("database.sqlite3")
    header.type, header.size = kind, size
    with pytest.raises(BackupError, match=r"not a complete archive|cut off"):
        archive.verify(io.BytesIO(header.tobuf(tarfile.GNU_FORMAT) + b"\0" * 1024))


@given(st.binary(max_size=2000), st.integers(0, 3000))
@settings(max_examples=300)
def test_any_damage_is_refused_or_does_no_harm(damage, position):
    data = bytearray(archive_with(json.dumps(VALID).encode()).getvalue())
    data[position : position + len(damage)] = damage
    try:
        assert archive.verify(io.BytesIO(data)).sha256
    except BackupError as error:
        str(error).encode()
