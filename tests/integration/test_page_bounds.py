"""Tables, addresses and long words at the bounds of a page; what WeasyPrint does wrong, and what we do about it."""

import re
from pathlib import Path

import pytest
from weasyprint import HTML

from documents.rendering import page_losses
from tests import printing

PRINTED = Path(__file__).parent / "printed"
ADVICE = "If this fails, WeasyPrint is mended: remove what works around it."
ADDRESS = "https://catalogue.example.org/dataset/interoperability_characterisation/groundwater.models/variables?a=b&c=d"
ACCESSION = "XPENVIRONMENTALCHARACTERISATIONGROUNDWATER000123"
FILE = "environment_characterisation_groundwaterinvertebrates_v2.csv"
DOI = "doi.org/10.5555/environmentalcharacterisation.interoperability"


def rows(count, tag="td", name="row"):
    return "".join(f"<tr><{tag}>{name} {number}.</{tag}></tr>" for number in range(count))


def flat(pdf):
    return " ".join(" ".join(printing.page_texts(pdf)).split())


def test_a_head_taller_than_a_page_is_printed_once(tmp_path):
    pdf, rendered = printing.print_text(tmp_path, (PRINTED / "tall-thead.html").read_text())
    text = flat(pdf)
    assert [text.count(f"Head {number} x") for number in range(70)] == [1] * 70
    assert text.index("Head 69") < text.index("row 0")
    assert rendered.warnings == ()


@pytest.mark.parametrize(("head_rows", "times"), [(3, 3), (25, 1)])
def test_a_head_is_repeated_if_it_takes_a_third_of_a_page_at_most(head_rows, times, tmp_path):
    table = f"<table><thead>{rows(head_rows, 'th', 'Head')}</thead><tbody>{rows(80)}</tbody></table>"
    pdf, _ = printing.print_text(tmp_path, table)
    assert flat(pdf).count("Head 0.") == times


def test_a_foot_taller_than_a_page_is_printed_once_after_all_rows(tmp_path):
    table = f"<table><tfoot>{rows(70, name='Foot')}</tfoot><tbody>{rows(5)}</tbody></table>"
    text = flat(printing.print_text(tmp_path, table)[0])
    assert [text.count(f"Foot {number}.") for number in range(70)] == [1] * 70
    assert text.index("row 4.") < text.index("Foot 0.")


def test_a_head_is_over_each_page_of_a_row_taller_than_a_page(tmp_path):
    pdf, _ = printing.print_text(tmp_path, (PRINTED / "tall-row.html").read_text())
    pages = printing.page_texts(pdf)
    assert len(pages) > 2
    assert all("Question Answer" in page for page in pages)
    assert "Paragraph 0 " in pages[0]


@pytest.mark.parametrize("width", range(0, 60, 7))
@pytest.mark.parametrize(
    "around",
    [
        "<p>{}</p>",
        "<ul><li>{}</li></ul>",
        "<table><tr><td>{}</td></tr></table>",
        "<p><a href='https://example.org/'>{}</a></p>",
    ],
)
def test_addresses_and_names_are_copied_as_they_were_written(width, around, tmp_path):
    text = f"{'x' * width} {ADDRESS} and {DOI} and {ACCESSION} or {FILE}."
    pdf, _ = printing.print_text(tmp_path, around.format(text))
    copied = re.sub(r"[\r\n]", "", "".join(printing.page_texts(pdf)))
    assert [name for name in (ADDRESS, DOI, ACCESSION, FILE) if name not in copied] == []


def test_words_are_hyphenated_as_before(tmp_path):
    pdf, _ = printing.print_text(tmp_path, "<p>" + "Characterisation of interoperability. " * 20 + "</p>")
    assert "interop‐\r\n" in printing.page_texts(pdf)[0]


def test_what_still_runs_off_the_page_is_a_warning(tmp_path):
    pdf, rendered = printing.print_text(tmp_path, "<table><tr>" + "<td>wide</td>" * 400 + "</tr></table>")
    assert printing.characters_off_the_page(pdf)
    [warning] = rendered.warnings
    assert warning.text.startswith("Text or an image in “Methods” runs off the page (“w")


def test_weasyprint_stops_at_a_paragraph_separator():
    with pytest.raises(AssertionError, match="between two lines"):  # if not, it is mended: remove our breaks
        HTML(string="<p>a \u2029 b</p>").render()


def test_weasyprint_prints_nothing_of_a_tall_head_and_the_check_says_so():
    html = HTML(string=f"<table><thead>{rows(90, 'th', 'Head')}</thead><tbody>{rows(5)}</tbody></table>")
    missing = page_losses.find(html.render(), html.etree_element)
    assert missing.unprinted == {"": "Head 0."}, ADVICE
    [warning] = missing.warnings()
    assert (warning.rule, warning.text) == (
        "text-not-printed",
        "Text above the first section is not printed (“Head 0.”). Take it out of the table cell or list that it is in.",
    )


def test_weasyprint_leaves_out_the_head_before_a_row_taller_than_a_page():
    style = "<style>tr { break-inside: avoid }</style>"
    row = "<tr><td>" + "<p>a long answer</p>" * 90 + "</td></tr>"
    html = HTML(string=f"{style}<table><thead><tr><th>Head</th></tr></thead>{row}</table>")
    pages = html.render().pages
    heads = [sum(box.element_tag == "th" for box in page._page_box.descendants()) for page in pages]
    assert heads[0] == 0, ADVICE
