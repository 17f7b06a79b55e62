"""Authors are told what of their text is not printed: in the answer, and on the document's page."""

import pytest

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
    html = {block.anchor: block.html for block in blocks.iter_blocks(plan) if block.html}
    assert f'id="aims-{plan.pk}-n"' in html["aims"]
    assert f'href="#background-{plan.pk}-n"' in html["background"]
