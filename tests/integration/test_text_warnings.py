"""Authors are told what of their text is not printed: in the answer, and on the document's page."""

import base64
import io

import pytest
from PIL import Image

from documents.content import blocks

PASTED = '<p class=MsoNormal>Map: <img src="file:///C:/Temp/clip_image001.png" alt="Map"><o:p></o:p></p>'


@pytest.fixture
def patched(api, plan):
    return api.patch(f"/api/v1/documents/{plan.pk}/", {"sections": {"background": PASTED}}, format="json")


def test_a_patch_answers_with_the_section_and_what_to_do(patched, plan):
    [warning] = patched.data["warnings"]
    assert (warning["section"], warning["count"]) == ("background", 1)
    assert "“clip_image001.png” is missing" in warning["what"]
    assert "upload it under Images" in warning["what"]
    plan.refresh_from_db()
    assert plan.sections["background"] == '<p>Map: <img alt="Map" title="clip_image001.png"></p>'


def test_a_later_answer_still_names_the_missing_image(patched, api, plan):
    [warning] = api.get(f"/api/v1/documents/{plan.pk}/").data["warnings"]
    assert "“clip_image001.png” is missing" in warning["what"]
    [again] = api.patch(f"/api/v1/documents/{plan.pk}/", {"sections": {"aims": "x"}}, format="json").data[
        "warnings"
    ]
    assert again["section"] == "background"


def test_a_text_that_is_kept_whole_has_no_warnings(api, plan):
    answer = api.patch(
        f"/api/v1/documents/{plan.pk}/", {"sections": {"background": "<p>Plain</p>"}}, format="json"
    )
    assert answer.data["warnings"] == []


def test_the_page_of_the_document_lists_missing_images(patched, client, plan, owner):
    client.force_login(owner)
    page = client.get(f"/documents/{plan.pk}/").content.decode()
    assert "Missing from the text" in page
    assert "Section “background”: The image “clip_image001.png” is missing" in page


def test_equal_anchors_of_two_sections_do_not_meet(api, plan):

    note = '<p>x<a href="#n">1</a></p><p id="n">note of {}</p>'
    sections = {key: note.format(key) for key in ("background", "aims")}
    api.patch(f"/api/v1/documents/{plan.pk}/", {"sections": sections}, format="json")
    plan.refresh_from_db()
    html = {
        block.anchor: block.html
        for block in blocks.iter_blocks(plan)
        if isinstance(block, blocks.SectionBlock)
    }
    assert f'id="aims-{plan.pk}-n"' in html["aims"]
    assert f'href="#background-{plan.pk}-n"' in html["background"]


def test_a_picture_in_the_text_becomes_an_image_of_the_document(api, plan):
    stream = io.BytesIO()
    Image.new("RGB", (40, 30), "green").save(stream, "PNG")
    address = f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
    html = f'<p>Map: <img src="{address}" alt="The map"></p>'
    answer = api.patch(f"/api/v1/documents/{plan.pk}/", {"sections": {"aims": html, "background": html}})
    [image] = plan.images.all()
    assert (image.caption, image.width, image.height) == ("The map", 40, 30)
    expected = f'<p>Map: <img src="{image.url}" alt="The map"></p>'
    assert answer.data["sections"] == {"aims": expected, "background": expected}
    assert answer.data["warnings"] == []


def test_what_is_no_picture_stays_in_the_text(api, plan):
    html = '<p><img src="data:image/png;base64,AAAA" alt=""></p>'
    answer = api.patch(f"/api/v1/documents/{plan.pk}/", {"sections": {"aims": html}})
    assert answer.data["sections"]["aims"] == html
    assert not plan.images.exists()
