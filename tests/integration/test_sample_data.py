"""The sample data load once, and every sample document renders."""

import time

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from documents.models import Document, Project, Task, document_types
from documents.queue import lifecycle
from documents.tasks.pdf import task as pdf_task
from tests import factories

pytestmark = pytest.mark.django_db


def test_every_sample_document_renders_without_a_warning(capsys):
    call_command("load_sample_data")
    printed = capsys.readouterr().out
    assert "Authorization: Token " in printed
    assert "curl " in printed
    assert {document.kind for document in Document.objects.all()} == set(document_types.DOCUMENT_TYPES)
    assert Project.objects.count() >= 12
    assert {"author", "member", "stranger", "maintainer"} <= set(
        User.objects.values_list("username", flat=True)
    )
    maintainer = User.objects.get(username="maintainer")
    for document in Document.objects.all():
        task, _ = lifecycle.get_or_create(pdf_task.request_for(document), user=maintainer)
        lifecycle.run(task.pk, deadline=time.monotonic() + 60)
        ended = Task.objects.get(pk=task.pk)
        assert (ended.status, ended.error, ended.message) == ("succeeded", None, ""), document
    count = Document.objects.count()
    call_command("load_sample_data")
    assert Document.objects.count() == count


def test_sample_data_are_not_mixed_into_real_data():
    factories.user("somebody")
    with pytest.raises(CommandError, match="--really"):
        call_command("load_sample_data")
    assert not Project.objects.exists()
