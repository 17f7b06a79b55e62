"""The sample data are for an empty installation; tests/acceptance/test_sample_documents.py loads and renders them."""

import pytest
from django.core.management import CommandError, call_command

from documents.models import Project
from tests import factories


@pytest.mark.django_db
def test_sample_data_are_not_mixed_into_real_data():
    factories.user("somebody")
    with pytest.raises(CommandError, match="--really"):
        call_command("load_sample_data")
    assert not Project.objects.exists()
