"""Files that leave and come back: an exported one changes nothing when it is imported, a mailed one is the same."""

from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings as hypothesis_settings, strategies as st

from documents.models import BusinessArea, Project, ScheduledReport, Task
from documents.operations import scheduled_reports
from documents.tasks.exports import rows, spec, writers
from documents.tasks.imports import validation
from documents.tasks.imports.resources import RESOURCES
from documents.tasks.notifications import task as notification_task
from tests import factories
from tests.working import run_entries

pytestmark = pytest.mark.django_db(transaction=True)
# No database stores NUL and lone surrogates.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30)
QUIRKS = st.sampled_from(
    (
        *("_x000D_", "_x005F_x000D_", "a\r\nb", "a\rb", " x ", "\u00a0x\u00a0", "'=1", "=1", "007", "1e5"),
        *("\ufeff", "sep=;", "\u2028", "\x1b[0m", "\ufffe", "<r>x</r>", "TRUE", "a\u00a0b", "_x00e9_", "😀"),
    )
)


@pytest.mark.parametrize("form", ["csv", "xlsx"])
@given(texts=st.lists(QUIRKS | TEXTS, min_size=4, max_size=4))
@hypothesis_settings(max_examples=40, suppress_health_check=[*HealthCheck])
def test_an_export_that_is_imported_again_changes_nothing(form, texts, tmp_path_factory, maintainer):
    Project.objects.all().delete()
    BusinessArea.objects.all().delete()
    for number, text in enumerate(texts):
        area, _ = BusinessArea.objects.get_or_create(name=f"{text}{number}"[:120])
        project = factories.project(tag=f"SP-2026-{number:03}", title=text, business_area=area)
        factories.document(project=project, sections={"aims": text, "outcome": f"<p>{text}</p>"})
    folder = tmp_path_factory.mktemp("trip")
    for what in ("projects", "documents"):
        chosen = spec.parse(what=what, format=form, filters={})
        path = folder / f"{what}.{form}"
        with writers.WRITERS[form](path, spec.columns_of(chosen), lambda: None) as write:
            for record in rows.iter_records(chosen, rows.ids_for(chosen, maintainer)):
                write(record)
        report, plan = folder / "report.csv", folder / "plan.jsonl"
        found = validation.validate(
            path, RESOURCES[what], report=report, plan=plan, on_progress=lambda _: None
        )
        counts = (found.new, found.changed, found.unchanged, found.error_count)
        assert counts == (0, 0, len(texts), 0), report.read_text()


@pytest.mark.parametrize("form", ["csv", "xlsx", "jsonl", "zip", "pdf"])
def test_a_file_that_is_mailed_is_the_file_that_is_downloaded(staff, plan, cluster, inbox, form):
    plan.sections["aims"] = "<p>one\ntwo</p>\r\n<p>three\rfour</p>\n.\nFrom here: Möwe"
    plan.save(update_fields=["sections"])
    kind = (
        {"kind": "pdf", "document": plan.pk, "arguments": {}}
        if form == "pdf"
        else {
            "kind": "export",
            "arguments": {"what": "documents", "format": form},
        }
    )
    values = {"name": form, "cron": "0 7 * * MON", "receivers": ["board@example.org"], **kind}
    answer = staff.post("/api/v1/reports/", values)
    assert answer.status_code == 201, answer.data
    ScheduledReport.objects.update(next_run_at=timezone.now() - timedelta(seconds=1))
    for _ in range(3):
        scheduled_reports.enqueue_due()
        notification_task.enqueue_due()
        run_entries()
    task = Task.objects.get(kind=kind["kind"], status="succeeded")
    download = staff.get(f"/api/v1/tasks/{task.pk}/file/")
    [letter] = inbox.messages
    [part] = letter.iter_attachments()
    assert part.get_payload(decode=True) == b"".join(download.streaming_content)
    assert part["Content-Type"].replace('"', "").startswith(download["Content-Type"])
    assert part.get_filename() in download["Content-Disposition"] or part.get_filename().endswith(form)
