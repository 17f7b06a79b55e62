"""Nothing runs with SPMS whose licence nobody has read."""

import pytest

from deploy import licences


def test_every_package_of_a_run_has_a_licence_on_the_list():
    refused = {
        name: licence for name, (licence, _) in licences.rows().items() if not licences.is_allowed(licence)
    }
    assert not refused, "read these licences, and take the packages out or put the licences on the list"


def test_the_page_lists_what_the_lock_files_install():
    written = (licences.ROOT / "docs" / "licences.md").read_text()
    assert written == licences.page(), "run: make licences"
    assert {"django", "weasyprint", "celery", "sentry-sdk"} <= set(licences.rows())


@pytest.mark.parametrize("suffix", ["*.ttf", "*.js", "*.css"])
def test_every_file_of_others_is_named(suffix):
    page = (licences.ROOT / "docs" / "licences.md").read_text()
    for folder in ("documents/rendering/fonts", "spms/static/spms/vendor"):
        for file in (licences.ROOT / folder).glob(suffix):
            assert file.name in page or f"`{file.name[:10]}" in page, file


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ("MIT", True),
        ("GPL-3.0-or-later", False),
        ("GPL-2.0-only or MIT", True),
        ("MIT AND GPL-3.0-only", False),
        ("Apache-2.0 AND BSD-2-Clause", True),
        ("UNKNOWN", False),
        ("not installed", False),
    ],
)
def test_a_choice_of_licences_needs_one_that_is_allowed(licence, expected):
    assert licences.is_allowed(licence) is expected
