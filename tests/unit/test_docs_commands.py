"""The commands that the pages for operators print exist and parse; `make docs-check` runs them."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from deploy import prove_docs
from spms import command_line
from tests.unit.test_deployment import UNITS

ROOT = Path(__file__).parent.parent.parent
PAGES = ("deployment", "operations", "backup", "upgrading", "engines", "events", "thresholds")
TEXTS = {name: (ROOT / "docs" / f"{name}.md") for name in PAGES}
SHELL_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:^    \S.*\n)+", re.MULTILINE)
INLINE = re.compile(r"`((?:docker compose exec web )?spms [^`]+)`")
OUR_COMMAND = re.compile(
    r"(?:^\s*|&& |; |exec web |/usr/local/bin/|deploy/)spms ((?:--[a-z-]+ )*[a-z_]+[^\n;&|#>`]*)",
    re.MULTILINE,
)


def blocks():
    for name, path in TEXTS.items():
        text = path.read_text()
        for number, block in enumerate([*SHELL_BLOCK.findall(text), *INDENTED.findall(text)]):
            yield pytest.param(block, id=f"{name}-{number}")


def our_commands():
    for name, path in TEXTS.items():
        text = path.read_text()
        parts = [*SHELL_BLOCK.findall(text), *INDENTED.findall(text), *INLINE.findall(text)]
        for command in sorted({command for part in parts for command in OUR_COMMAND.findall(part)}):
            yield pytest.param(command, id=f"{name}: {command.strip()}")


@pytest.mark.parametrize("block", [*blocks()])
def test_every_block_is_shell(block):
    parsed = subprocess.run(["sh", "-n"], input=block, text=True, capture_output=True)
    assert parsed.returncode == 0, parsed.stderr


def test_there_are_blocks_and_commands_to_check():
    assert len(list(blocks())) > 10
    assert len(list(our_commands())) > 15


@pytest.mark.parametrize("command", [*our_commands()])
def test_every_command_of_ours_exists_and_takes_its_arguments(command):
    words = [word for word in shlex.split(command.replace('"…"', "reason")) if word not in {"…", "COMMAND"}]
    options = command_line._parse([word for word in words if not word.startswith("[")])
    name, *arguments = options.command
    assert name in get_commands() or name == "help", name
    if name != "help" and arguments:
        app = get_commands()[name]
        loaded = load_command_class(app, name) if isinstance(app, str) else app
        loaded.create_parser("spms", name).parse_args(arguments)


def test_no_page_for_operators_names_the_command_that_finds_no_settings():
    for name, path in TEXTS.items():
        text = path.read_text().replace("replace `cd … && .venv/bin/python manage.py …`", "")
        assert not re.findall(r"manage\.py [a-z]", text), name


def test_units_and_files_of_the_project_that_blocks_name_exist():
    units = {unit.stem for unit in UNITS}
    for path in TEXTS.values():
        text = "".join([*SHELL_BLOCK.findall(path.read_text()), *INDENTED.findall(path.read_text())])
        for line in re.findall(r"systemctl (?:enable|restart|stop|start)(?: --now)? ([\w -]+)", text):
            assert {word for word in line.split() if word.startswith("spms")} <= units
        for named in re.findall(r"(?<![\w/])((?:deploy|requirements)/[\w./-]+)", text):
            assert (ROOT / named).exists() or "overlays/ours" in named, named


def test_make_docs_check_knows_every_block_and_no_other():
    treated = [(prove_docs.find_treatment(page, block), block) for page, block in prove_docs.read_blocks()]
    used = {treatment.beginning for treatment, _ in treated}
    assert {treatment.beginning for treatment in prove_docs.TREATMENTS} <= used
    for treatment, block in treated:
        assert all(changed in block for changed, _ in treatment.changes), treatment.beginning
