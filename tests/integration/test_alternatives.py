"""What an image shows, in words: sent by authors, kept, and said by screen readers."""

import io

import pikepdf
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils.html import escape

from documents.models import Task
from documents.tasks.pdf import task as pdf_task
from tests import factories
from tests.asking import address, send
from tests.exporting import content_of, export
from tests.importing import counts, send as send_table

pytestmark = pytest.mark.django_db(transaction=True)
BAY, QUOTED = "A bay at low tide", 'A "bay" <&>'


@pytest.fixture
def signed_in(client, owner):
    client.force_login(owner)
    return client


def picture():
    return SimpleUploadedFile("bay.png", factories.image_file().read())


def show(document, html):
    document.sections = {"aims": html}
    document.save()


def alternatives_in(client, document):
    """Return what a screen reader says of each figure in the document's PDF."""
    assert client.post(address(document)).status_code in {200, 201}
    content = b"".join(client.get(address(document)).streaming_content)
    with pikepdf.open(io.BytesIO(content)) as pdf:
        return [
            str(item.Alt) for item in pdf.objects if isinstance(item, pikepdf.Dictionary) and "/Alt" in item
        ]


def test_it_is_kept_with_the_image_and_a_new_one_replaces_it(api, plan):
    file = picture()
    sent = [send(api, plan, file, alternative=text).data for text in (BAY, "", "Low\u2028 tide\x07")]
    assert [image["alternative"] for image in sent] == [BAY, BAY, "Low  tide"]
    assert {image["id"] for image in sent} == {sent[0]["id"]}
    [listed] = api.get(f"/api/v1/documents/{plan.pk}/images/").data
    assert (listed["alternative"], listed["caption"]) == ("Low  tide", "")


@pytest.mark.parametrize("text", ["a\0b", "x" * 301])
def test_one_that_cannot_be_kept_is_a_problem(api, plan, text):
    answer = send(api, plan, picture(), alternative=text)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "#/alternative")


@pytest.mark.parametrize(
    ("written", "caption", "alternative", "said"),
    [
        ("", "The bay", "", ["The bay"]),
        ("", "The bay", QUOTED, [QUOTED]),
        (' alt=""', "The bay", BAY, [BAY]),
        (' alt="Mine"', "The bay", BAY, ["Mine"]),
        ("", "", "", []),
    ],
)
def test_a_screen_reader_says_the_best_text_that_there_is(api, plan, written, caption, alternative, said):
    image = factories.image(plan, caption=caption, alternative=alternative)
    show(plan, f'<p>See <img src="{image.url}"{written}></p>')
    assert alternatives_in(api, plan) == said


def test_the_caption_of_a_figure_is_better_than_nothing(api, plan):
    image = factories.image(plan)
    show(plan, f'<figure><img src="{image.url}" alt=""><figcaption>A <b>map</b></figcaption></figure>')
    assert alternatives_in(api, plan) == ["A map"]


def test_an_image_that_is_a_link_says_where_it_leads(api, plan):
    image = factories.image(plan)
    show(plan, f'<p><a href="https://example.org/"><img src="{image.url}" alt=""></a></p>')
    assert alternatives_in(api, plan) == ["https://example.org/"]


def test_a_new_text_makes_a_new_pdf(api, plan):
    image = factories.image(plan, caption="The bay")
    show(plan, f'<p>See <img src="{image.url}" alt=""></p>')
    before = pdf_task.fingerprint(plan)
    with image.file.open() as file:
        send(api, plan, file, alternative=BAY)
    plan.refresh_from_db()
    assert pdf_task.fingerprint(plan) != before


def test_only_images_of_this_document_are_described(api, plan):
    other = factories.image(factories.document(), caption="A secret")
    show(plan, f'<p>See <img src="{other.url}" alt=""></p>')
    assert alternatives_in(api, plan) == []


def test_the_page_asks_for_it_and_lists_images_without_a_text(signed_in, plan):
    factories.image(plan, size=(41, 31), caption="A bay")
    factories.image(plan, size=(42, 32), alternative=QUOTED)
    plan.cover_image = factories.image(plan, size=(43, 33))
    plan.save()
    page = signed_in.get(f"/documents/{plan.pk}/").content.decode()
    assert 'name="alternative"' in page
    assert f'alt="{escape(QUOTED)}"' in page
    assert "Screen readers skip" not in page
    factories.image(plan, size=(44, 34))
    page = signed_in.get(f"/documents/{plan.pk}/").content.decode()
    assert "Screen readers skip an image without" in page
    assert "44 × 34 pixels</a>" in page


def test_texts_of_images_go_through_exports_and_imports(staff):
    document = factories.document()
    image = factories.image(document)
    show(document, f'<p><img src="{image.url}" alt="{escape(QUOTED)}"></p>')
    table = content_of(staff, export(staff, what="documents").data)
    show(document, "")
    assert counts(send_table(staff, table.decode("utf-8-sig"), dry_run="false")) == (0, 1, 0, 0)
    assert alternatives_in(staff, document) == [QUOTED]


def test_the_task_and_the_page_say_what_only_the_author_can_mend(api, signed_in, plan):
    row = "<tr><td>a</td><td>b</td></tr>"
    show(plan, f'<p><img src="{factories.image(plan).url}" alt=""></p><table>{row}{row}</table>')
    warnings = api.post(address(plan)).data["result"]["warnings"]
    assert [(warning["section"], warning["rule"]) for warning in warnings] == [
        ("Aims", "table-without-header"),
        ("Aims", "image-without-alternative"),
    ]
    page = signed_in.get(f"/documents/{plan.pk}/").content.decode()
    assert [text for warning in warnings if (text := warning["text"]) not in page] == []


def test_sentences_of_older_versions_are_read(api, plan):
    task = Task.objects.create(
        kind="pdf", document=plan, status="succeeded", result={"warnings": ["1 image is missing."]}
    )
    assert api.get(task.get_absolute_url()).data["result"]["warnings"] == [
        {"section": "", "rule": "", "text": "1 image is missing."}
    ]
