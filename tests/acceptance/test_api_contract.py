"""The API keeps what its schema promises, whatever is sent: schemathesis tries a running system.

It sends valid and invalid requests to every operation, and chains of requests along the schema's links. It fails on
an error of the server, on a status, media type, header or body that the schema does not name, and on invalid data
that is taken. ``--contract-examples 500`` tries longer.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.system import ROOT, System

CONFIG = Path(__file__).with_name("api_contract.toml")
SCHEMATHESIS = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIG), "run"]
HOOKS = {"PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.acceptance.contract_hooks"}
SEED = "2026"
# A new member and a new maintainer for each test. Short documents: laying them out must not take the requests' time.
PEOPLE = """
from django.contrib.auth.models import User
from rest_framework.authtoken.models import Token
from documents.models import BusinessArea
from tests import factories
number = User.objects.count()
member, maintainer = factories.user(f"member{number}"), factories.staff(f"maintainer{number}")
area, _ = BusinessArea.objects.get_or_create(name="Marine Science")
project = factories.project(member, tag=f"SP-2026-{number:03d}", business_area=area)
for kind in ("concept_plan", "project_plan"):
    factories.document(kind=kind, project=project)
print(*(Token.objects.create(user=person).key for person in (member, maintainer)))
"""
MEMBER, MAINTAINER = range(2)
USUAL_EXAMPLES = 5


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    folder = tmp_path_factory.mktemp("api-contract")
    running = System(folder, SPMS_API_THROTTLE_RATE="off", SPMS_QUEUE_WORKERS="1", SPMS_QUEUE_LIMIT="100000")
    running.manage("migrate", "--verbosity", "0")
    running.manage("collectstatic", "--noinput", "--verbosity", "0")
    try:
        running.start_web()
        running.start_workers()
        yield running
    finally:
        running.stop()


@pytest.fixture
def attempt(system, pytestconfig, tmp_path):
    """Return a function that lets schemathesis try as a person, and returns what it printed."""

    def attempt(person, *options, **environment):
        tokens = system.manage("shell", "--no-imports", "-c", PEOPLE).stdout.split()
        sign_in = ["--header", f"Authorization: Token {tokens[person]}", "--seed", SEED, "--no-color"]
        command = [*SCHEMATHESIS, f"{system.address}/api/schema/", *sign_in, *options]
        ended = subprocess.run(
            command, cwd=tmp_path, env=os.environ | environment, capture_output=True, text=True
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr + system.log()[-3000:]
        return ended.stdout

    return attempt


def number_after(words, report):
    match = re.search(rf"{words}\s+(\d+)", report)
    assert match, report
    return int(match[1])


@pytest.mark.xdist_group("api contract")
@pytest.mark.parametrize("person", [MEMBER, MAINTAINER], ids=["member", "maintainer"])
def test_every_operation_answers_as_the_schema_says(attempt, person, pytestconfig):
    examples = pytestconfig.getoption("--contract-examples")
    # The bounds of a value do not depend on who sends it: the maintainer, who may send it everywhere, tries them all.
    phases = "coverage,fuzzing" if person == MAINTAINER or examples > USUAL_EXAMPLES else "fuzzing"
    report = attempt(person, "--phases", phases, "--max-examples", str(examples))
    assert number_after("Tested:", report) == number_after("Selected:", report) > 20


@pytest.mark.xdist_group("api links")
@pytest.mark.parametrize("person", [MEMBER, MAINTAINER], ids=["member", "maintainer"])
def test_what_an_answer_links_to_answers_so_too(attempt, person, pytestconfig):
    examples = 12 * pytestconfig.getoption("--contract-examples")
    chains = ["--phases", "stateful", "--mode", "positive", "--max-examples", str(examples)]
    report = attempt(person, *chains, **HOOKS)
    assert number_after("API Links:", report) >= 6  # how far a chain gets depends on how fast tasks end
