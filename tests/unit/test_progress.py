"""Long commands show how far they are: with a bar on a terminal, with lines elsewhere; all have examples."""

import contextlib
import os
import pty
import sys
from pathlib import Path

import pytest
from django.core.management import load_command_class

from metrics import progress

ROOT = Path(__file__).parent.parent.parent
COMMANDS = [
    (path.parts[-4], path.stem)
    for app in ("documents", "metrics")
    for path in sorted((ROOT / app / "management" / "commands").glob("[a-z]*.py"))
]


def test_elsewhere_than_on_a_terminal_it_writes_plain_lines_on_stderr(capsys, monkeypatch):
    monkeypatch.setattr(progress, "LINE_EVERY_SECONDS", 0.0)
    with progress.shown() as report:
        report("files", 1200, 5000)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "files: 1,200 of 5,000\n")


def test_short_work_prints_nothing(capsys):
    with progress.shown() as report:
        for number in range(100):
            report("files", number, 100)
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar_that_goes_away(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    parent, child = pty.openpty()
    with open(child, "w") as terminal:  # noqa: PTH123 (a descriptor, not a path)
        monkeypatch.setattr(sys, "stderr", terminal)
        with progress.shown() as report:
            report("files", 50, 100)
    text = read_all(parent)
    assert "50/100" in text
    assert "files" in text
    assert text.rstrip().endswith("\x1b[2K")


def read_all(descriptor):
    """Return what was written to a terminal that is closed; its end is an error to read."""
    chunks = []
    with contextlib.suppress(OSError):
        while chunk := os.read(descriptor, 4096):
            chunks.append(chunk)
    os.close(descriptor)
    return b"".join(chunks).decode()


@pytest.mark.parametrize(("app", "name"), COMMANDS)
def test_every_command_has_examples(app, name):
    text = load_command_class(app, name).create_parser("manage.py", name).format_help()
    assert f"manage.py {name}" in text.partition("Example")[2]
