"""The suite itself: tests that share a system stay in one process, or each process would start its own."""

import os

import pytest


@pytest.mark.xdist_group("together")
def test_tests_of_a_group_stay_in_one_process(request):
    assert "PYTEST_XDIST_WORKER" not in os.environ or request.node.nodeid.endswith("@together")
