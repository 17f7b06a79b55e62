"""Check with axe-core that everybody can use a page."""

from axe_playwright_python.sync_playwright import Axe

GRAVE = {"serious", "critical"}


def assert_accessible(page):
    """Fail with a description and the HTML of each serious or critical violation."""
    violations = Axe().run(page).response["violations"]
    grave = [violation for violation in violations if violation["impact"] in GRAVE]
    assert not grave, "\n".join(map(_description, grave))


def _description(violation):
    html = [node["html"][:200] for node in violation["nodes"]]
    return f"{violation['id']} ({violation['impact']}): {violation['help']}: {html}"
