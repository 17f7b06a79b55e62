"""The packages of the two apps are the ones that the documentation lists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
LOOSE_MODULES = {
    "documents": {"apps", "admin", "characters", "filters", "task_warnings", "whole_numbers"},
    "metrics": {"apps", "admin", "models", "middleware", "instruments", "flag", "durations", "progress"},
}
PATH = re.compile(r"`((?:documents|metrics|spms|tests|bench|deploy)/[\w./-]*)`")


def listed_paths(folder):
    """Return the direct members of a folder that the table of CONTRIBUTING.md has a row for."""
    table = (ROOT / "CONTRIBUTING.md").read_text().partition("## Where things live")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`.+?) \|", table, re.MULTILINE)
    paths = [Path(path) for cell in cells for path in PATH.findall(cell)]
    return sorted(str(path) for path in paths if str(path.parent) == folder)


def packages(folder):
    return {str(path.relative_to(ROOT)) for path in (ROOT / folder).glob("[!_]*/") if any(path.rglob("*.*"))}


def modules(folder):
    return {str(path.relative_to(ROOT)) for path in (ROOT / folder).glob("[!_]*.py")}


@pytest.mark.parametrize("app", LOOSE_MODULES)
def test_an_app_has_no_other_loose_modules(app):
    assert modules(app) == {f"{app}/{name}.py" for name in LOOSE_MODULES[app]}


@pytest.mark.parametrize("app", LOOSE_MODULES)
def test_contributing_lists_every_package_and_loose_module_once(app):
    assert listed_paths(app) == sorted(packages(app) | modules(app))


def test_a_kind_of_task_needs_no_row_of_its_own():
    assert listed_paths("documents/tasks") == []


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_paths_that_are_named_exist(page):
    paths = PATH.findall((ROOT / page).read_text())
    assert len(paths) > 30
    assert [path for path in paths if not (ROOT / path).exists()] == []
