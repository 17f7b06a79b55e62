"""Addresses, file names, accession numbers and sequences break at their signs; words are hyphenated as before."""

import pytest

from documents.rendering import break_opportunities

SEQUENCE = "GGTCAACAAATCATAAAGATATTGG"


@pytest.mark.parametrize(
    "word",
    [
        *(
            "https://example.org/a",
            "www.example.org",
            "doi.org/10.5555/abc",
            "/mnt/data/site",
            "someone@example.org",
        ),
        *(
            "urn:lsid:example",
            "distribution_model",
            "distribution.csv",
            "XM0123456",
            "GCF_000001405.40",
            "a=b&c=ddd",
        ),
        *("XPENVIRONMENTALCHARACTERISATION", SEQUENCE, SEQUENCE.lower(), "MKVLAAGIVALLLA", "x" * 60),
    ],
)
def test_it_is_not_hyphenated(word):
    [found] = break_opportunities.find_identifiers(f"before {word} after")
    assert found[0] == word


@pytest.mark.parametrize(
    "word",
    [
        *("characterisation", "Characterisation,", "“interoperability”", "and/or", "groundwater/surface"),
        *(
            "well-characterised",
            "Grundwasserbeschaffenheitsuntersuchung",
            "2,4-dichlorophenoxyacetic",
            "1,234,567",
        ),
        *(
            "これはテストです",
            "испытание",
            "χαρακτηρισμός",
            "e.g.",
            "12:30",
            "COVID-19-related",
            "don't-know",
        ),
    ],
)
def test_it_is_a_word(word):
    assert break_opportunities.find_identifiers(f"before {word} after") == []


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("https://example.org/a_b?c=d&e=f", "https://example.|org/|a_|b?|c=|d&|e=|f"),
        ("/mnt/data/site.tif", "/mnt/|data/|site.|tif"),
        ("short_name", "short_name"),
        (SEQUENCE * 2, "|".join((SEQUENCE * 2)[start : start + 10] for start in range(0, 50, 10))),
        (SEQUENCE, SEQUENCE),
    ],
)
def test_it_breaks_after_signs_and_in_groups(word, shown):
    assert break_opportunities.breakable(word) == shown.replace("|", "\u200b")


def test_a_sequence_in_a_cell_breaks_earlier():
    shown = break_opportunities.breakable(SEQUENCE, is_in_cell=True)
    assert [len(part) for part in shown.split("\u200b")] == [10, 10, 5]
