"""Asks axe-core whether everybody can use a page."""

from axe_playwright_python.sync_playwright import Axe

GRAVE = {"serious", "critical"}


def assert_accessible(page):
    """Fail with what is wrong, and where, when axe finds something serious or critical."""
    found = [one for one in Axe().run(page).response["violations"] if one["impact"] in GRAVE]
    assert not found, "\n".join(
        f"{one['id']} ({one['impact']}): {one['help']}: {[node['html'][:200] for node in one['nodes']]}"
        for one in found
    )
