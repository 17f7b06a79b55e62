"""Imports: what each row does, and what is reported of it."""

import io

import pytest
import xlsxwriter
from django.test import Client

from documents.models import BusinessArea, Cluster, Document, Membership, Project, document_types
from documents.tasks.imports import validation
from documents.tasks.pdf import task as pdf_task
from tests import factories
from tests.importing import HEAD, apply, counts, report, send
from tests.working import run_entries

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def area(db):
    return BusinessArea.objects.create(name="Marine Science")


@pytest.fixture
def project(db):
    return factories.project(tag="SP-2026-012")


def test_new_documents_are_checked_first_and_then_written(staff, project):
    checked = send(staff, HEAD + "SP-2026-012,concept_plan,2026,in_review,<p>Seagrass</p>,\n")
    assert (checked.status_code, counts(checked)) == (201, (1, 0, 0, 0))
    assert "Nothing was written" in checked.data["message"]
    assert not Document.objects.exists()
    done = apply(staff, checked)
    assert (done.status_code, counts(done)) == (201, (1, 0, 0, 0))
    [document] = Document.objects.all()
    assert (document.project, document.kind, document.year) == (project, "concept_plan", 2026)
    assert (document.status, document.version) == ("in_review", 1)
    assert document.sections == {"background": "<p>Seagrass</p>"}


def test_the_same_file_a_second_time_changes_nothing(staff, project):
    content = HEAD + "SP-2026-012,concept_plan,2026,new,<p>Seagrass<br/></p>,<p>Maps</p>\n"
    assert counts(send(staff, content, dry_run="false")) == (1, 0, 0, 0)
    before = Document.objects.values().get()
    assert counts(send(staff, content, dry_run="false")) == (0, 0, 1, 0)
    assert Document.objects.values().get() == before


def test_a_changed_row_counts_the_version_and_empty_cells_change_nothing(staff, project):
    sections = {"background": "<p>Old</p>", "aims": "<p>Kept</p>"}
    document = factories.document(project=project, sections=sections, status="in_review")
    done = send(staff, HEAD + "SP-2026-012,concept_plan,2026,,<p>New</p>,\n", dry_run="false")
    assert counts(done) == (0, 1, 0, 0)
    document.refresh_from_db()
    assert (document.version, document.status) == (2, "in_review")
    assert document.sections == {"background": "<p>New</p>", "aims": "<p>Kept</p>"}


def test_columns_that_are_not_there_are_left_alone(staff, project):
    document = factories.document(project=project, sections={"aims": "<p>Kept</p>"})
    send(staff, "tag;kind;year;status\nSP-2026-012;concept_plan;2026;approved\n", dry_run="false")
    document.refresh_from_db()
    assert (document.status, document.sections) == ("approved", {"aims": "<p>Kept</p>"})


def test_annual_reports_have_no_tag(staff):
    content = "tag,kind,year,directors_message\n,annual_report,2026,<p>Hello</p>\n"
    assert counts(send(staff, content, dry_run="false")) == (1, 0, 0, 0)
    assert counts(send(staff, content, dry_run="false")) == (0, 0, 1, 0)


def test_projects_are_known_by_their_tags(staff, area):
    content = (
        "tag,title,year,kind,status,business_area\n"
        "SP-2026-001,Reefs,2026,,,Marine Science\n"
        "STP-2026-001,A thesis,2025,student,active,Marine Science\n"
    )
    assert counts(send(staff, content, "projects", dry_run="false")) == (2, 0, 0, 0)
    reefs = Project.objects.get(tag="SP-2026-001")
    assert (reefs.kind, reefs.status, reefs.business_area) == ("science", "new", area)
    assert counts(send(staff, content, "projects", dry_run="false")) == (0, 0, 2, 0)
    renamed = "tag,title\nSP-2026-001,Corals\n"
    assert counts(send(staff, renamed, "projects", dry_run="false")) == (0, 1, 0, 0)
    assert Project.objects.get(tag="SP-2026-001").title == "Corals"


def test_a_workbook_does_the_same_whatever_its_name(staff, project):
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as book:
        page = book.add_worksheet()
        page.write_row(0, 0, ["tag", "kind", "year", "aims"])
        page.write_row(1, 0, ["SP-2026-012", "concept_plan", 2026, "'=1+1"])
    done = send(staff, stream.getvalue(), name="data.txt", dry_run="false")
    assert counts(done) == (1, 0, 0, 0)
    assert Document.objects.get().sections == {"aims": "'=1+1"}


def exported(client, what, form):
    """Return what an export made, in this form."""
    answer = client.post("/api/v1/exports/", {"what": what, "format": form}, format="json")
    return b"".join(client.get(answer.data["result"]["url"]).streaming_content)


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_what_was_exported_is_imported_without_a_change(staff, project, form):
    texts = ("<p>a &amp; b</p>", "=1+1", "- item", "'=x", "two\nlines")
    for kind, text in zip(document_types.DOCUMENT_TYPES.values(), texts, strict=False):
        factories.document(kind=kind.key, project=project, sections=dict.fromkeys(kind.section_keys(), text))
    for name in ("@ann", "-1", "2026", "bob+x@example.org"):
        Membership.objects.create(project=project, user=factories.user(name, is_active=name != "-1"))
    factories.document(kind="annual_report", sections={"publications": "<ul><li>One</li></ul>"})
    for what, rows in (("projects", 1), ("documents", 6)):
        done = send(staff, exported(staff, what, form), what, dry_run="false")
        assert counts(done) == (0, 0, rows, 0), report(staff, done.data["task_id"])
    assert set(Document.objects.values_list("version", flat=True)) == {1}


def test_every_error_is_listed_by_row_and_column(staff, project):
    other = factories.project(tag="SP-2026-013")
    rows = (
        "SP-2026-012,concept_plan,2026,new,<p>fine</p>,",
        "SP-2026-999,concept_plan,2026,,<svg>x</svg>,",
        "SP-2026-012,essay,twenty,,,",
        "SP-2026-012,annual_report,2026,,,",
        ",concept_plan,2026,,,",
        "SP-2026-012,concept_plan,2026,,,",
        "SP-2026-012,student_report,2026,perhaps,<p>no such section</p>,",
        f"SP-2026-012,concept_plan,2025,,{'<div>' * 60},",
        "SP-2026-013,concept_plan,1066,,,",
    )
    answer = send(staff, HEAD + "\n".join(rows) + "\n")
    assert counts(answer) == (1, 0, 0, 10)
    listed = report(staff, answer.data["task_id"])
    assert [(row, column) for row, column, *_ in listed] == [
        ("3", "tag"),
        ("3", "background"),
        ("4", "kind"),
        ("4", "year"),
        ("5", "tag"),
        ("6", "tag"),
        ("7", "tag"),
        ("8", "status"),
        ("8", "background"),
        ("9", "background"),
        ("10", "year"),
    ]
    words = [problem for *_, problem in listed]
    assert "There is no project with this tag" in words[0]
    assert "It is none of: concept_plan, project_plan" in words[2]
    assert words[6] == "Row 2 has the same key."
    assert answer.data["result"]["first"][0] == {
        "row": 3,
        "column": "tag",
        "value": "SP-2026-999",
        "problem": words[0],
        "is_error": True,
    }
    assert other.documents.count() == 0


def test_a_new_project_needs_all_that_the_model_needs(staff, area):
    answer = send(staff, "tag,title,business_area\nnumber one,x,Moon\nSP-2026-001,,\n", "projects")
    problems = {
        (row, column): problem for row, column, _, _, problem in report(staff, answer.data["task_id"])
    }
    assert problems[("2", "tag")] == "A tag looks like SP-2026-012."
    assert problems[("3", "title")] == "This field cannot be blank."
    assert set(problems) == {
        ("2", "tag"),
        ("2", "business_area"),
        ("3", "title"),
        ("3", "year"),
        ("3", "business_area"),
    }


def test_what_the_sanitiser_takes_out_is_a_warning(staff, project):
    html = "<p onclick='x()'>Text<script>alert(1)</script></p>"
    answer = send(staff, HEAD + f"SP-2026-012,concept_plan,2026,,{html},\n")
    assert counts(answer) == (1, 0, 0, 0)
    [(row, column, value, severity, problem)] = report(staff, answer.data["task_id"])
    assert (row, column, value, severity) == ("2", "background", html, "warning")
    assert problem == "A script is not kept."
    assert apply(staff, answer).status_code == 201
    assert Document.objects.get().sections == {"background": "<p>Text</p>"}


def test_unknown_columns_are_an_error_that_lists_the_known(staff):
    answer = send(staff, "tag,kind,year,colour\nx,y,z,red\n")
    assert (counts(answer), answer.data["result"]["rows"]) == ((0, 0, 0, 1), 0)
    [(row, column, _, _, problem)] = report(staff, answer.data["task_id"])
    assert (row, column) == ("1", "colour")
    assert "columns are: tag, kind, year, status, background" in problem


def test_an_error_after_very_many_warnings_is_among_the_first(staff, project, monkeypatch):
    monkeypatch.setattr(validation, "MAX_ROWS_SHOWN", 2)
    rows = [f"SP-2026-012,concept_plan,{2000 + n},,<svg>x</svg>," for n in range(4)]
    answer = send(staff, HEAD + "\n".join([*rows, "SP-2026-012,essay,2026,,,"]), dry_run="false")
    assert "1 error, the first in row 6, column kind" in answer.json()["detail"]


def test_the_report_is_safe_to_open_in_a_spreadsheet(staff):
    answer = send(staff, "tag,kind,year\n=HYPERLINK(1),concept_plan,2026\n")
    assert report(staff, answer.data["task_id"])[0][2] == "'=HYPERLINK(1)"


def test_a_long_list_of_errors_ends_and_says_so(staff, monkeypatch):
    monkeypatch.setattr(validation, "MAX_ISSUES", 5)
    answer = send(staff, "tag,kind,year\n" + "".join(f"X-{n},concept_plan,2026\n" for n in range(8)))
    listed = report(staff, answer.data["task_id"])
    assert (len(listed), listed[-1][-1]) == (6, "3 more were found and are not listed.")
    assert answer.data["result"]["error_count"] == 8


# Members


def of_members(cell, tag="SP-2026-012"):
    return f'tag,members\n{tag},"{cell}"\n'


def team_of(project):
    return [
        (membership.user.username, membership.role)
        for membership in project.memberships.select_related("user")
    ]


@pytest.fixture
def team(project):
    """Ann, who leads, and Bob; Cid belongs to nothing."""
    ann, bob, _ = (factories.user(name) for name in ("ann", "bob", "cid"))
    Membership.objects.create(project=project, user=ann, role="lead", position=1)
    Membership.objects.create(project=project, user=bob, role="student", position=2)
    return project


@pytest.mark.parametrize("cell", ["cid bob", "bob,cid", "cid;bob", " bob ;\n cid, bob;;cid\t"])
def test_the_members_of_a_row_replace_those_of_the_project(staff, team, cell):
    assert counts(send(staff, of_members(cell), "projects", dry_run="false")) == (0, 1, 0, 0)
    assert team_of(team) == [("bob", "student"), ("cid", "scientist")]


def test_who_is_new_stands_after_those_who_stay(staff, team):
    send(staff, of_members("cid ann bob"), "projects", dry_run="false")
    assert team_of(team) == [("ann", "lead"), ("bob", "student"), ("cid", "scientist")]


def test_a_change_of_members_is_counted_once_and_not_made_by_a_dry_run(staff, team):
    document, before = factories.document(project=team), Project.objects.get().updated_at
    printed = pdf_task.fingerprint(document)
    checked = send(staff, of_members("ann"), "projects")
    assert (counts(checked), len(team_of(team))) == ((0, 1, 0, 0), 2)
    assert counts(apply(staff, checked)) == (0, 1, 0, 0)
    assert (team_of(team), Project.objects.get().updated_at > before) == ([("ann", "lead")], True)
    assert pdf_task.fingerprint(Document.objects.get()) != printed
    assert counts(send(staff, of_members("ann"), "projects", dry_run="false")) == (0, 0, 1, 0)


@pytest.mark.parametrize("content", ["tag,title\nSP-2026-012,New\n", of_members(""), of_members(" ;, ")])
def test_without_names_the_members_stay(staff, team, content):
    send(staff, content, "projects", dry_run="false")
    assert team_of(team) == [("ann", "lead"), ("bob", "student")]


def test_new_projects_come_with_their_members_in_the_order_of_the_cell(staff, team, area):
    content = "tag,title,year,business_area,members\nSP-2026-001,Reefs,2026,Marine Science,cid ann\n"
    assert counts(send(staff, content, "projects", dry_run="false")) == (1, 0, 0, 0)
    assert [name for name, _ in team_of(Project.objects.get(tag="SP-2026-001"))] == ["cid", "ann"]


def test_somebody_who_may_not_sign_in_any_more_can_be_a_member_as_in_the_admin(staff, team):
    factories.user("dee", is_active=False)
    assert counts(send(staff, of_members("dee"), "projects", dry_run="false")) == (0, 1, 0, 0)


@pytest.mark.parametrize(
    ("cell", "named"),
    [
        ("ann Ann", "Ann"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("=cmd|'/C-calc'!A0", "=cmd|'/C-calc'!A0"),
        ("ann@x p q,r s;t", "ann@x, p, q and 3 more"),
        pytest.param("x" * 999_999, f"{'x' * 59}…", id="one long name"),
        pytest.param(
            " ".join(f"{n:x}!" for n in range(0x20000))[:999_999],
            "0!, 1!, 2! and 131,069 more",
            id="many names",
        ),
    ],
)
def test_usernames_that_nobody_has_are_an_error_that_names_the_first(staff, maintainer, team, cell, named):
    answer = send(staff, of_members(cell), "projects", dry_run="false")
    problem = f"No user has the username {named}. Correct the names, or add these people first."
    [(row, column, value, severity, said)] = report(staff, answer.json()["task_id"])
    assert (row, column, severity, said) == ("2", "members", "error", problem)
    assert len(value) < 70
    assert not value.startswith("=")
    assert team_of(team) == [("ann", "lead"), ("bob", "student")]
    client = Client()
    client.force_login(maintainer)
    page = client.get("/dashboard/imports/").content.decode()
    assert "<script>alert" not in page
    assert "<code>members</code>" in page


def test_many_rows_with_members_take_few_questions(staff, area, settings, django_assert_max_num_queries):
    settings.SPMS_MODE = "queue"  # a worker's turn is taken by the test, so that its questions are counted
    Cluster.objects.create(name="host:1:a", workers=1)
    people = [factories.user(f"p{n}").username for n in range(6)]
    for team in (people[:4], people[2:]):
        rows = [f"SP-2026-{n:03d},x,2026,Marine Science,{' '.join(team)}\n" for n in range(500)]
        send(staff, "tag,title,year,business_area,members\n" + "".join(rows), "projects", dry_run="false")
        with django_assert_max_num_queries(50):
            run_entries()
        assert Membership.objects.filter(user__username__in=team).count() == 2000
        assert Membership.objects.count() == 2000
