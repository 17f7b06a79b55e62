"""What the documentation says agrees with the code."""

import ast
import fnmatch
import re
from pathlib import Path

import pytest

from documents.api import parsers
from documents.exceptions import SpmsError
from documents.models import document_types, markup, mistakes, richtext

ROOT = Path(__file__).parent.parent.parent
DOCS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def errors_below(error):
    for child in error.__subclasses__():
        yield child
        yield from errors_below(child)


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_links_and_pictures_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_tests_that_are_named_exist():
    files = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    for page in DOCS:
        for named in re.findall(r"`(?:tests/\w+/)?(test_[\w*]+\.py)`", page.read_text()):
            assert fnmatch.filter(files, named), f"{page.name} names {named}"


def test_what_check_is_said_to_run_it_runs():
    makefile = (ROOT / "Makefile").read_text()
    recipe = re.search(r"^check:.*\n((?:\t.+\n)+)", makefile, re.MULTILINE)
    assert recipe is not None
    commands = re.split(r"[\n;&|]+", recipe[1].replace("\\\n", " "))
    words = [re.sub(r"^\s*@?(?:[A-Z_]+=\S+ |\$\(PRODUCTION\) )*\s*", "", command) for command in commands]
    for begin in (
        *(
            f"$(VENV)/bin/{name} "
            for name in ("ruff", "mypy", "lint-imports", "bandit", "djlint", "hadolint")
        ),
        *(
            f"$(VENV)/bin/python manage.py {name} "
            for name in ("check", "check --deploy", "makemigrations", "spectacular")
        ),
    ):
        assert any(f"{command} ".startswith(begin) for command in words), begin


def test_every_setting_is_documented_and_every_documented_one_exists():
    pattern = r'(?:env\.\w+|environment\.\w+|\b_database)\(\s*"([A-Z_]+)"'
    texts = [(ROOT / "spms" / f"{name}.py").read_text() for name in ("settings", "environment")]
    read = set(re.findall(pattern, "".join(texts)))
    page = (ROOT / "docs" / "configuration.md").read_text()
    documented = set(re.findall(r"^\| `([A-Z_]+)`", page, re.MULTILINE))
    example = set(re.findall(r"^# ([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert read == documented == example


def test_every_kind_is_documented_with_its_sections():
    text = (ROOT / "docs" / "api.md").read_text()
    for kind in document_types.DOCUMENT_TYPES.values():
        assert f"| `{kind.key}` | `{' '.join(kind.section_keys())}` |" in text


def test_every_problem_of_a_render_is_documented():
    text = (ROOT / "docs" / "rendering.md").read_text() + (ROOT / "docs" / "api.md").read_text()
    for error in errors_below(SpmsError):
        is_base = error.slug in {"render-failed", "notice-error"}
        assert is_base or f"`{error.slug}`" in text, error.slug


def test_slugs_are_unique_and_found_again():
    slugs = [error.slug for error in errors_below(SpmsError)]
    assert len(slugs) == len(set(slugs))
    for error in errors_below(SpmsError):
        assert SpmsError.by_slug(error.slug) is error
    assert SpmsError.by_slug("nonsense") is SpmsError


def test_the_bounds_of_rich_text_are_documented():
    text = (ROOT / "docs" / "api.md").read_text()
    assert (
        f"to {richtext.MAX_SECTION_CHARACTERS:,} characters, {richtext.MAX_DEPTH} levels of nesting, "
        f"{richtext.MAX_TABLE_ROWS:,} rows per table and spans of {richtext.MAX_SPAN};"
    ) in " ".join(text.split())
    for bound in (
        f"| {richtext.MAX_CHARACTERS_AT_ONCE:,} |",
        f"| {markup.MAX_OPEN_ELEMENTS}, {markup.MAX_ATTRIBUTES} |",
        f"| {markup.MAX_MOVED} |",
        f"| {parsers.MAX_VALUES:,}, at most {parsers.MAX_DEPTH} levels deep",
        f"lists the first {mistakes.MAX_LISTED} errors",
    ):
        assert bound in text, bound
    from documents.rendering import fetcher  # WeasyPrint takes a second to import

    assert richtext.MAX_DATA_URI_CHARACTERS <= fetcher.MAX_DATA_URI_CHARACTERS


def test_the_lock_files_have_hashes_and_name_no_index():
    for path in (ROOT / "requirements").glob("*.txt"):
        lines = path.read_text().splitlines()
        assert not [line for line in lines if "://" in line or line.startswith("--index")]
        pinned = [number for number, line in enumerate(lines) if re.match(r"[a-z0-9.\[\]-]+==", line)]
        assert len(pinned) > 20
        assert all("--hash=sha256:" in lines[number + 1] for number in pinned)


def test_the_tests_that_the_documentation_names_exist():
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    for page in DOCS:
        for name in re.findall(r"`(test_\w+)`", page.read_text()):
            assert f"def {name}(" in tests, f"{page.name}: {name}"


def test_every_threat_names_tests_that_exist():
    functions = {
        (path.name, node.name)
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    }
    threats = (ROOT / "docs" / "security.md").read_text().partition("## Measures by chapter")[0]
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", threats)
    assert not set(named) - functions
    tables = re.findall(r"\| threat \| .+\n\|.+\n((?:\|.+\n)+)", threats)
    rows = "".join(tables).splitlines()
    assert len(rows) > 50
    assert [row for row in rows if "::" not in row.split(" | ")[-1]] == []
