"""Settings are read from the environment; a wrong one stops the start with one line."""

import os

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given, strategies as st

from metrics import durations
from spms import environment
from tests.acceptance import warm


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 30), ("30s", 30), ("2m", 120), ("1.5h", 5400), ("250ms", 0.25), (" 5 s ", 5)]
)
def test_durations_are_read_with_their_unit(text, seconds):
    assert durations.parse_seconds("X", text) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [("1024", 1024), ("1k", 1024), ("1500M", 1500 * 1024**2), ("1.5GiB", 1610612736), ("2gb", 2**31)],
)
def test_sizes_are_read_with_their_unit(text, size):
    assert durations.parse_bytes("X", text) == size


@given(st.text(max_size=12))
def test_whatever_else_is_refused_by_name(text):
    for read in (durations.parse_seconds, durations.parse_bytes):
        message = ""
        try:
            value = read("SPMS_X", text)
        except ImproperlyConfigured as error:
            message = str(error)
        assert "SPMS_X" in message if message else value > 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SPMS_MODE", "fast"),
        ("SPMS_INLINE_DEADLINE", "soon"),
        ("SPMS_RENDER_TIMEOUT", "0"),
        ("SPMS_RENDER_MEMORY_LIMIT", "-1"),
        ("SPMS_RENDER_SLOTS", "two"),
        ("SPMS_WEB_THREADS", "0"),
        ("SPMS_WEB_PROCESSES", "0"),
        ("SPMS_WEB_PROCESSES", "49"),  # more than threads
        ("DEBUG", "perhaps"),
        ("SPMS_FILE_STORAGE", "s3:/bucket"),
        ("SPMS_FILE_STORAGE", "s3://Bucket"),
        ("SPMS_FILE_STORAGE", "s3://bucket/../other"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_setting(name, value, tmp_path):
    variables = {"PATH": os.environ["PATH"], "SPMS_DATA_DIR": str(tmp_path), name: value}
    ended = warm.run(["check"], variables)
    assert ended.returncode != 0
    [line] = ended.stderr.strip().splitlines()
    assert name in line
    assert value in line


@pytest.mark.parametrize(
    ("name", "value"), [("SPMS_S3_ENDPOINT", "s3.example.org"), ("SPMS_S3_ENCRYPTION", "rot13")]
)
def test_a_wrong_value_about_the_bucket_is_one_line_too(name, value, tmp_path):
    variables = {
        "PATH": os.environ["PATH"],
        "SPMS_DATA_DIR": str(tmp_path),
        "SPMS_FILE_STORAGE": "s3://bucket",
    }
    ended = warm.run(["check"], variables | {name: value})
    assert ended.returncode != 0
    [line] = ended.stderr.strip().splitlines()
    assert name in line
    assert value in line


@pytest.mark.parametrize(
    ("text", "bucket", "prefix"),
    [
        ("s3://agency", "agency", ""),
        ("s3://a.b-c/spms/", "a.b-c", "spms/"),
        ("s3://agency/a/b", "agency", "a/b/"),
    ],
)
def test_images_and_results_have_prefixes_of_their_own(text, bucket, prefix, tmp_path, monkeypatch):
    monkeypatch.setenv("SPMS_FILE_STORAGE", text)
    options_of = {alias: storage["OPTIONS"] for alias, storage in environment.files(tmp_path).items()}
    assert {options["bucket_name"] for options in options_of.values()} == {bucket}
    assert options_of["default"]["location"] == f"{prefix}media"
    assert options_of["results"]["location"] == f"{prefix}results"


def test_every_installation_makes_a_key_of_its_own(tmp_path):
    keys = set()
    for folder in ("one", "two", "one"):
        variables = {"PATH": os.environ["PATH"], "SPMS_DATA_DIR": str(tmp_path / folder)}
        warm.run(["check"], variables).check_returncode()
        keys.add((tmp_path / folder / "secret_key").read_text())
    assert len(keys) == 2
    assert min(map(len, keys)) > 50
    assert (tmp_path / "one" / "secret_key").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", environment.REMOVED)
def test_a_setting_that_exists_no_more_is_an_error_that_says_why(name, monkeypatch):
    monkeypatch.setenv(name, "pdf/a-3a")
    with pytest.raises(
        ImproperlyConfigured, match=rf"{name} exists no more. Every PDF is PDF/UA-1 and PDF/A-3a"
    ):
        environment.refuse_removed()


@pytest.mark.parametrize(("old", "new"), environment.RENAMED.items())
def test_a_setting_of_an_old_name_is_an_error_that_names_the_new_one(old, new, monkeypatch):
    monkeypatch.setenv(old, "4")
    with pytest.raises(ImproperlyConfigured, match=rf"{old} is called {new} now"):
        environment.refuse_renamed()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux has sets of cores")
def test_only_the_cores_that_a_process_may_use_count():
    usable = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(usable)})
    try:
        assert environment.usable_cores() == 1
    finally:
        os.sched_setaffinity(0, usable)
    assert environment.usable_cores() == len(usable)
