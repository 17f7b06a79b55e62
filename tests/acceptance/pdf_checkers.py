"""What independent checkers say of a PDF: each problem with its rule and, where they know it, its page."""

import outloud
import page
import pdfua

PROFILES = ("ua1", "3a")
# Guesses of outloud about what an author wrote; docs/rendering.md says more.
FOR_A_PERSON = {
    "HDG-010",  # a heading that reads as a number
    "LNK-010",  # an address in the text that is no link
    "TBL-004",  # counts a row too short if a cell of the rows above ends in its last column; page checks this
    "TBL-010",  # more header cells than others
    "TBL-012",  # most cells of a table are empty
}


def problems_of(path):
    """Return the findings of all checkers; advice that outloud calls "info" is for a person to judge."""
    return [*_page_problems(str(path)), *_outloud_problems(str(path)), *_pdfua_problems(str(path))]


def problems_of_pdf(content, folder):
    path = folder / "checked.pdf"
    path.write_bytes(content)
    return problems_of(path)


def _page_problems(path):
    return [
        f"page {profile}: {failure.rule_id}: {failure.message}"
        for profile in PROFILES
        for failure in page.validate_pdf(path, profile=profile).failures
    ]


def _outloud_problems(path):
    result = outloud.check(path)
    crashes = [f"outloud: {run.rule} {run.reason}" for run in result.runs if run.status == "crashed"]
    findings = [
        f"outloud: {finding.rule} on page {finding.page}: {finding.message} {finding.evidence or ''}"
        for finding in result.findings
        if finding.severity != "info" and finding.rule not in FOR_A_PERSON
    ]
    return [*filter(None, [result.error]), *crashes, *findings]


def _pdfua_problems(path):
    return [
        f"pdfua: {finding.rule_id} on {finding.location.describe()}: {finding.message}"
        for finding in pdfua.validate(path).findings
    ]
