"""Each person's requests are counted, however many people there are."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.core.cache import cache

from documents.api.throttling import UserWindowThrottle


@pytest.fixture(autouse=True)
def _empty_cache():
    cache.clear()
    yield
    cache.clear()


def is_allowed(user_id):
    request: Any = SimpleNamespace(user=SimpleNamespace(pk=user_id, is_authenticated=True))
    view: Any = None
    return UserWindowThrottle().allow_request(request, view=view)


def test_the_counters_of_a_thousand_people_survive_one_another(monkeypatch):
    monkeypatch.setattr(UserWindowThrottle, "rate", "2/day", raising=False)
    monkeypatch.setattr("documents.api.throttling.time.time", lambda: 1_000_000.0)  # one window for all
    assert [[is_allowed(user_id) for user_id in range(1000)] for _ in range(2)] == [[True] * 1000] * 2
    assert not any(is_allowed(user_id) for user_id in range(1000))
