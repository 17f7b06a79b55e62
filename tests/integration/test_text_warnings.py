"""Authors are told what of their text is not printed: in the answer, and on the document's page."""

import base64
import io
import struct

import pytest
from PIL import Image

from documents import exceptions
from documents.content import blocks
from documents.tasks.images import guard
from tests.made_pictures import NOISE, file_of

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
    assert "Background: The image “clip_image001.png” is missing" in page


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


def uri_of(content, media_type="image/png"):
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def warning_of(api, plan, address):
    """Put an image into a section of a document and return the only warning, its text and the stored section."""
    html = f'<p>Map: <img src="{address}" alt="The map"></p>'
    answer = api.patch(f"/api/v1/documents/{plan.pk}/", {"sections": {"aims": html}})
    [warning] = answer.data["warnings"]
    return warning["what"], answer.data["sections"]["aims"]


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "GIF", "WEBP"])
def test_a_picture_that_is_cut_off_is_missing_and_its_author_is_told(api, plan, image_format):
    content = file_of(NOISE, image_format)
    what, stored = warning_of(api, plan, uri_of(content[: len(content) // 2]))
    assert what.startswith(
        "the image “The map” is missing: this image is cut off or damaged; export it again"
    )
    assert stored == '<p>Map: <img alt="The map" title="The map"></p>'
    assert not plan.images.exists()
    [again] = api.get(f"/api/v1/documents/{plan.pk}/").data["warnings"]
    assert "“The map” is missing" in again["what"]


def test_what_is_no_picture_is_missing_and_its_author_is_told(api, plan):
    what, stored = warning_of(api, plan, "data:image/png;base64,AAAA")
    assert "this is no image that can be read; send a JPEG" in what
    assert "src=" not in stored


def test_greys_of_16_bits_are_shown_and_their_author_is_told_how(api, plan):
    grey = Image.frombytes("I;16", (64, 1), struct.pack("<64H", *range(0, 4096, 65)[:64]))
    what, stored = warning_of(api, plan, uri_of(file_of(grey)))
    assert what == "the image “The map”: its values from 0 to 4,095 are printed from black to white"
    assert plan.images.get().url in stored


def test_a_picture_for_which_there_is_no_process_stays_in_the_text(api, plan, monkeypatch):
    def refuse(*_, **__):
        raise exceptions.ImagesBusy("Other images are being prepared.")

    monkeypatch.setattr(guard, "prepare", refuse)
    html = f'<p><img src="{uri_of(file_of(NOISE.resize((9, 9))))}" alt=""></p>'
    answer = api.patch(f"/api/v1/documents/{plan.pk}/", {"sections": {"aims": html}})
    assert (answer.data["sections"]["aims"], answer.data["warnings"]) == (html, [])
