"""Whatever can be stored can be printed and mailed: separators of lines become breaks or spaces, controls go."""

import sys
import unicodedata

import pypdfium2
import pytest
from django.contrib.auth.models import User
from django.db import connection

from documents.content.normalising import normalise_html
from documents.models import BusinessArea, Project
from documents.tasks.cycles import letter_template
from tests import factories, printing
from tests.asking import address

SEPARATORS = "\v\f\x85\u2028\u2029"
ODD = "a\u2029 b \u2028c\x07\x9fd\x0be\ufffff"
PLAIN = "a  b  cd ef"


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("<p>a\u2029 b</p>", "<p>a<br> b</p>"),
        ("<p>a\u2028b</p><p>c&#8233;d</p>", "<p>a<br>b</p><p>c<br>d</p>"),
        ("<p><b>a\x0bb</b>\x85c</p>", "<p><b>a<br>b</b><br>c</p>"),
        ("<pre>a\u2029b\nc</pre>", "<pre>a\nb\nc</pre>"),
        ("<ul>\u2029<li>a</li></ul>", "<ul><li>a</li></ul>"),
        ("<p>a\x07b\x7fc\x9ed\ufffee</p>", "<p>abcde</p>"),
        ('<p><abbr title="a\u2029 b\x01">x</abbr></p>', '<p><abbr title="a  b">x</abbr></p>'),
    ],
)
def test_a_text_is_stored_with_breaks_and_without_controls(text, stored):
    assert normalise_html(text).html == stored
    assert normalise_html(stored).html == stored


@pytest.mark.parametrize(
    "around", ["<p>{}</p>", "<h2>{}</h2>", "<pre>{}</pre>", "<table><tr><td>{}</td></tr></table>"]
)
def test_a_stored_text_is_printed_with_any_control_or_separator(around, tmp_path):
    odd = [sign for sign in map(chr, range(1, sys.maxunicode + 1)) if is_odd(sign)]
    text = "".join(f"a {sign} b{sign}c {sign}d {sign}{sign} e" for sign in odd)
    pdf, rendered = printing.print_text(tmp_path, around.format(text), is_stored=True)
    assert rendered.warnings == ()
    assert "".join("".join(printing.page_texts(pdf)).split()).count("abcde") == len(odd)


def is_odd(sign):
    is_noncharacter = ord(sign) & 0xFFFE == 0xFFFE or "\ufdd0" <= sign <= "\ufdef"
    return is_noncharacter or (unicodedata.category(sign) in {"Cc", "Zl", "Zp"} and sign not in "\r\n")


@pytest.mark.django_db(transaction=True)
def test_names_and_titles_are_stored_and_answered_without(client_of, plan):
    area = BusinessArea.objects.create(name=ODD, division=ODD)
    project = Project.objects.create(title=ODD, tag="SP-2026-999", year=2026, business_area=area)
    person = User.objects.create(username="odd", first_name=ODD, last_name="\u2029x")
    saved = [(area.name, area.division, project.title, person.first_name)]
    for item in (area, project, person):
        item.refresh_from_db()
    saved.append((area.name, area.division, project.title, person.first_name))
    assert saved == [(PLAIN,) * 4] * 2
    assert Project.objects.get(title=ODD) == project
    answer = client_of(factories.staff()).patch(f"/api/v1/projects/{plan.project.pk}/", {"title": ODD})
    assert answer.data["title"] == PLAIN


@pytest.mark.django_db(transaction=True)
def test_what_is_stored_already_is_printed_and_mailed(api, plan, owner):
    execute("UPDATE documents_project SET title = %s", ODD)
    execute("UPDATE auth_user SET first_name = %s, last_name = 'x'", ODD)
    execute("UPDATE documents_businessarea SET name = %s", ODD)
    assert api.post(address(plan)).status_code == 201
    pdf = pypdfium2.PdfDocument(b"".join(api.get(address(plan)).streaming_content))
    words = "".join("".join(page.get_textpage().get_text_range() for page in pdf).split())
    assert words.count("abcdef") >= 3
    assert not set(SEPARATORS) & set(words)
    letter = letter_template.render(factories.cycle(), User.objects.get(username="owner"), [ODD])
    assert "Dear a" in letter.text
    assert not set(f"{SEPARATORS}\x07\x9f\uffff") & set(letter.text + letter.subject)


def execute(statement, value):
    with connection.cursor() as cursor:
        cursor.execute(statement, [value])
