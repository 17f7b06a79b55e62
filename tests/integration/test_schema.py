"""The schema can be requested by anyone, so it is generated once, whatever the requests ask for."""

import threading

import pytest
import yaml
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from spms import schema_view

QUERIES = ("", "?format=json", "?lang=de", "?lang=zz", "?version=2", "?version=" + "9" * 5000)


@pytest.fixture
def generations(monkeypatch):
    """The versions of the schemas that were generated; none at the beginning."""
    generated = []
    generate = SchemaGenerator.get_schema

    def counted(self, *args, **options):
        generated.append(self.api_version)
        return generate(self, *args, **options)

    monkeypatch.setattr(SchemaGenerator, "get_schema", counted)
    schema_view.CACHE.clear()
    return generated


@pytest.mark.django_db
def test_no_request_generates_it_again(client, generations):
    answers = [client.get(f"/api/schema/{query}") for query in QUERIES]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert generations == [None]
    assert client.get("/api/schema/?version=1").status_code == 200
    assert generations == [None, "1"]


@pytest.mark.django_db
def test_requests_at_the_same_moment_wait_for_one_generation(generations):
    contents = []
    threads = [
        threading.Thread(target=lambda: contents.append(Client().get("/api/schema/").content))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(contents) == 4
    assert len(set(contents)) == 1
    assert generations == [None]


@pytest.mark.django_db
def test_it_is_yaml_with_a_name(client):
    answer = client.get("/api/schema/?version=1")
    assert answer.headers["Content-Type"] == "application/vnd.oai.openapi; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'inline; filename="SPMS (1).yaml"'
    assert "/api/v1/documents/{id}/pdf/" in yaml.safe_load(answer.content)["paths"]
