"""Approvals belong to what was approved: a change of what a document prints resets them, however it is made."""

from typing import Any

import pytest

from documents.models import Document, DocumentChange, DocumentImage
from documents.tasks.images import attachments
from documents.tasks.maintenance import remove_rows
from tests import factories, importing

NAMES = ["project_lead", "area_lead", "directorate"]
APPROVED: dict[str, Any] = {
    "status": "approved",
    "lead_approved": True,
    "area_approved": True,
    "directorate_approved": True,
    "sections": {"aims": "<p>Old.</p>"},
}


@pytest.fixture
def approved(owner):
    return factories.document(owner, **APPROVED)


@pytest.fixture
def staff(maintainer, client_of):
    return client_of(maintainer)


def address(document, part=""):
    return f"/api/v1/documents/{document.pk}/{part}"


def state(document):
    document.refresh_from_db()
    return document.status, [document.lead_approved, document.area_approved, document.directorate_approved]


KEPT = ("approved", [True] * 3)
RESET = ("revising", [False] * 3)


@pytest.mark.parametrize("change", [{"sections": {"aims": "<p>New.</p>"}}, {"year": 2025}])
def test_a_member_who_changes_what_is_printed_resets_the_approvals(api, approved, change):
    answer = api.patch(address(approved), change)
    assert (answer.status_code, state(approved)) == (200, RESET)
    assert answer.data["status"] == "revising"
    assert not any(answer.data["approvals"].values())
    for words in ("project lead", "directorate", "status", "version 2"):
        assert words in answer.data["approvals_reset"]
    assert api.get(address(approved)).data["approvals_reset"] == ""


def test_a_cover_image_resets_them_and_so_does_its_removal(api, staff, approved):
    image = factories.image(approved)
    assert state(approved) == KEPT  # an image that nothing shows is not printed
    api.patch(address(approved), {"cover_image": str(image.pk)})
    assert state(approved) == RESET
    staff.patch(address(approved), {"status": "approved", "approvals": dict.fromkeys(NAMES, True)})
    assert state(approved) == KEPT
    api.patch(address(approved), {"cover_image": None})
    assert state(approved) == RESET


@pytest.mark.parametrize(
    "change",
    [
        {"sections": {"aims": "<p>Old.</p>"}},
        {"sections": {"outcome": ""}},
        {"sections": {}},
        {"year": 2026},
        {"cover_image": None},
        {},
    ],
)
def test_what_changes_nothing_that_is_printed_resets_nothing(api, approved, change):
    assert api.patch(address(approved), change).data["approvals_reset"] == ""
    assert state(approved) == KEPT


def test_a_draft_stays_what_it_is(api, owner):
    draft = factories.document(owner, status="in_review")
    assert api.patch(address(draft), {"sections": {"aims": "<p>New.</p>"}}).data["approvals_reset"] == ""
    assert state(draft) == ("in_review", [False] * 3)


def test_a_status_in_approval_goes_with_the_approvals_that_were_given(api, owner):
    document = factories.document(owner, status="in_approval", lead_approved=True)
    api.patch(address(document), {"sections": {"aims": "<p>New.</p>"}})
    assert state(document) == RESET


def test_staff_approve_anew_with_the_change_or_after_it(api, staff, approved):
    again = {"approvals": {"directorate": True}, "status": "approved"}
    answer = staff.patch(address(approved), {"sections": {"aims": "<p>New.</p>"}, **again})
    assert state(approved) == ("approved", [False, False, True])
    assert "project lead" in answer.data["approvals_reset"]
    assert "directorate" not in answer.data["approvals_reset"]
    staff.patch(address(approved), {"approvals": {"project_lead": True}})
    assert state(approved) == ("approved", [True, False, True])


def test_a_member_cannot_change_the_text_and_approve_it_at_once(api, approved):
    change = {"sections": {"aims": "<p>New.</p>"}, "status": "approved"}
    assert api.patch(address(approved), change).status_code == 403
    assert state(approved) == KEPT


def test_the_history_says_who_approved_what_when(api, staff, owner, client):
    document = factories.document(owner, sections={"aims": "<p>Old.</p>"})
    staff.patch(address(document), {"approvals": {"project_lead": True, "directorate": True}})
    staff.patch(address(document), {"approvals": {"directorate": False}, "status": "approved"})
    api.patch(address(document), {"sections": {"aims": "<p>New.</p>"}})
    entries = api.get(address(document, "changes/")).data["results"]
    assert [(e["version"], e["by"], e["approved"], e["withdrawn"], e["reset"]) for e in entries] == [
        (4, owner.username, [], [], ["project_lead", "status"]),
        (3, "maintainer", ["status"], ["directorate"], []),
        (2, "maintainer", ["project_lead", "directorate"], [], []),
    ]
    assert entries[0]["changed"] == ["sections.aims", "approvals.project_lead", "status"]
    assert all(entry["at"] for entry in entries)
    client.force_login(owner)
    page = client.get(f"/documents/{document.pk}/").content.decode()
    for words in (
        "maintainer approved project lead, directorate (version 2)",
        "changed aims, which reset project lead, the status “Approved” (version 4)",
        "Staff can approve version 4",
    ):
        assert words in page


def test_what_is_created_with_an_approval_is_in_the_history(staff, owner):
    values = {"kind": "concept_plan", "year": 2026, "project": factories.project(owner).pk}
    made = staff.post("/api/v1/documents/", {**values, "approvals": {"directorate": True}}).data
    change = DocumentChange.objects.get(document=made["id"])
    assert (change.by, change.approved, change.version) == ("maintainer", ["directorate"], 1)


def test_the_annual_report_leaves_out_a_report_that_was_changed(api, staff, owner, approved):
    report = factories.document(owner, kind="progress_report", **APPROVED | {"sections": {"aims": "Old."}})
    api.patch(address(report), {"sections": {"aims": "<p>Not approved by anybody.</p>"}})
    assert not Document.objects.filter(kind="progress_report", status="approved").exists()
    assert state(approved) == KEPT


def test_a_project_is_the_business_of_staff_and_leaves_the_approvals(staff, approved):
    assert staff.patch(f"/api/v1/projects/{approved.project_id}/", {"title": "Renamed"}).status_code == 200
    assert state(approved) == KEPT


def rows(document, *cells, head="tag,kind,year,status,aims\n"):
    return head + ",".join((document.project.tag, document.kind, str(document.year), *cells)) + "\n"


@pytest.mark.django_db(transaction=True)  # an import in the request runs in a thread
@pytest.mark.parametrize("status", ["", "approved"])
def test_an_import_says_before_it_writes_which_rows_reset_what(staff, approved, status):
    content = rows(approved, status, "<p>New.</p>")
    checked = importing.send(staff, content)
    finding = checked.data["result"]["first"][0]
    assert (finding["row"], finding["is_error"]) == (2, False)
    assert "resets" in finding["problem"]
    assert "directorate" in finding["problem"]
    assert state(approved) == KEPT
    assert importing.apply(staff, checked).status_code == 201
    assert state(approved) == RESET
    change = approved.changes.get()
    assert (change.by, change.version, change.reset) == ("maintainer", 2, [*NAMES, "status"])
    assert "sections.aims" in change.changed


@pytest.mark.django_db(transaction=True)
def test_an_import_that_changes_no_text_resets_nothing(staff, approved):
    answer = importing.send(staff, rows(approved, "approved", "<p>Old.</p>"), dry_run="false")
    assert importing.counts(answer) == (0, 0, 1, 0)
    assert state(approved) == KEPT
    assert not approved.changes.exists()


@pytest.mark.django_db(transaction=True)
def test_an_import_may_approve_what_was_not_approved(staff, owner):
    draft = factories.document(owner, sections={"aims": "<p>Old.</p>"})
    importing.send(staff, rows(draft, "approved", "<p>New.</p>"), dry_run="false")
    assert state(draft) == ("approved", [False] * 3)
    assert draft.changes.get().approved == ["status"]


@pytest.fixture
def admin(client, maintainer):
    client.force_login(maintainer)
    return client


def form(document, **values):
    ticked = dict.fromkeys(("lead_approved", "area_approved", "directorate_approved"), "on")
    fields = {"project": document.project_id, "kind": document.kind, "year": document.year}
    return {**fields, "status": document.status, "sections": '{"aims": "<p>Old.</p>"}', **ticked, **values}


def test_the_admin_resets_them_and_says_so(admin, approved):
    url = f"/admin/documents/document/{approved.pk}/change/"
    answer = admin.post(url, form(approved, sections='{"outcome": "<p>New.</p>"}'), follow=True)
    assert "Reset, because the content changed" in answer.content.decode()
    assert state(approved) == RESET
    assert approved.sections == {"outcome": "<p>New.</p>"}
    assert approved.changes.get().by == "maintainer"


def test_the_admin_refuses_a_form_that_is_older_than_the_document(admin, api, approved):
    url = f"/admin/documents/document/{approved.pk}/change/"
    assert 'name="shown_version" value="1"' in admin.get(url).content.decode()
    api.patch(address(approved), {"sections": {"aims": "<p>By a member.</p>"}})
    answer = admin.post(url, form(approved, shown_version="1"))
    assert "version 2 is stored" in answer.content.decode()
    approved.refresh_from_db()
    assert approved.sections == {"aims": "<p>By a member.</p>"}


def test_an_image_that_is_removed_takes_the_approvals_with_it_if_it_was_printed(admin, approved):
    shown, other = (factories.image(approved) for _ in range(2))
    Document.objects.filter(pk=approved.pk).update(sections={"aims": f'<img src="{shown.url}" alt="">'})
    admin.post(f"/admin/documents/documentimage/{other.pk}/delete/", {"post": "yes"})
    assert state(approved) == KEPT
    admin.post(
        "/admin/documents/documentimage/",
        {"action": "delete_selected", "_selected_action": [str(shown.pk)], "post": "yes"},
    )
    assert not DocumentImage.objects.filter(pk=shown.pk).exists()
    assert state(approved) == RESET
    assert approved.changes.get().changed[0] == "sections.aims"


def test_the_clean_up_of_an_image_that_was_never_printed_leaves_the_approvals(approved):
    image = DocumentImage.objects.create(document=approved, width=0, height=0)
    Document.objects.filter(pk=approved.pk).update(cover_image=image)
    assert remove_rows() >= 1
    assert state(approved) == KEPT
    assert (approved.cover_image_id, approved.version) == (None, 2)


def test_a_second_upload_of_the_same_image_changes_nothing(api, approved):
    file = factories.image_file()
    first = attachments.attach(approved, file)
    file.seek(0)
    assert attachments.attach(approved, file).pk == first.pk
    assert state(approved) == KEPT
