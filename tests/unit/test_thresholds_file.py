"""The limits file: what is in it, and that every mistake names its line and what was expected."""

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from metrics.decisions.criteria import CRITERIA, DURATION_BUCKETS
from metrics.decisions.limits_file import LimitsError, load, load_text

ROOT = Path(__file__).parent.parent.parent


def threshold_text(entry="limit: 5s", name="p95_response_time"):
    return f"thresholds:\n  {name}:\n    {entry}\n"


def test_the_file_that_ships_has_every_criterion():
    limits = load(ROOT / "thresholds.yaml")
    assert {threshold.name for threshold in limits.thresholds} == set(CRITERIA)
    limit_of = {threshold.name: threshold.limit for threshold in limits.thresholds}
    assert (
        limit_of["p95_response_time"],
        limit_of["average_response_time"],
        limit_of["request_timeout_rate"],
    ) == (
        5,
        2,
        0.01,
    )
    assert (limit_of["pdf_generation_time"], limit_of["concurrent_users"], limit_of["pdf_generations"]) == (
        10,
        500,
        1000,
    )
    assert limit_of["user_complaints"] == 5


def test_defaults_hold_for_all_and_each_may_differ():
    text = "defaults:\n  for: 2m\n  recover_below: 0.7\n" + threshold_text("limit: 5s\n    for: 30s")
    [threshold] = load_text(text).thresholds
    assert (threshold.for_seconds, threshold.recover_below, threshold.window_seconds) == (30, 0.7, 300)


def test_the_recovery_limits_of_the_usual_limits_are_bounds_too():
    for limit in (5.0, 2.0, 10.0):
        assert {round(limit * part, 6) for part in (0.7, 0.75, 0.8)} <= {*DURATION_BUCKETS}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: expected the keys"),
        ("just text", "line 1: expected the keys"),
        ("- a\n- list", "line 1: expected the keys"),
        ("thresholds:", "expected at least one"),
        ("thresholds:\n\tp95_response_time:\n", "line 2: not YAML"),
        ("thresholds: [", "not YAML"),
        (threshold_text() + "surprise: 1\n", "line 4: surprise is not known"),
        (threshold_text(name="p95_response"), "line 2: thresholds.p95_response is not known"),
        (threshold_text("limit: 5s\n    limit: 6s"), "line 4: limit stands here twice (first in line 3)"),
        (threshold_text("window: 5m"), "line 2: p95_response_time: expected a limit, a duration such as 5s"),
        (
            threshold_text("limit: 5"),
            "line 3: p95_response_time.limit: '5'; expected a duration above zero with its unit",
        ),
        (threshold_text("limit: -5s"), "line 3: p95_response_time.limit"),
        (threshold_text("limit: 0s"), "line 3: p95_response_time.limit"),
        (threshold_text("limit: .inf"), "line 3: p95_response_time.limit"),
        (threshold_text("limit: 5 parsecs"), "line 3: p95_response_time.limit"),
        (threshold_text("limit: 31s"), "is not a bound of the histogram"),
        (threshold_text("limit: 600s"), "is not a bound of the histogram"),
        (threshold_text("limit: 1", "error_rate"), "expected a share such as 1%"),
        (threshold_text("limit: 200%", "error_rate"), "expected a share such as 1%"),
        (threshold_text("limit: 5s", "concurrent_users"), "expected a number such as 500"),
        (threshold_text("limit: 1000", "pdf_generations"), "expected a number a day such as 1000/day"),
        (threshold_text("limit: 10/day", "long_operations"), "expected over"),
        (
            threshold_text("limit: 10/day\n    over: 31s", "long_operations"),
            "is not a bound of the histogram",
        ),
        (threshold_text("limit: 5s\n    over: 5s"), "over is not used here"),
        (threshold_text("limit: 5s\n    severity: awful"), "line 4: p95_response_time.severity"),
        (
            threshold_text("limit: 5s\n    routes_to_queue: perhaps"),
            "line 4: p95_response_time.routes_to_queue",
        ),
        (threshold_text("limit: 5s\n    min_samples: 2.5"), "expected a whole number"),
        (threshold_text("limit: 5s\n    recover_below: 120%"), "expected a share such as 80% or 0.8"),
        (threshold_text("limit: [5s]"), "line 3: limit: a list is not expected here"),
        (threshold_text("limit:\n      is: 5s"), "line 3: p95_response_time.limit: keys"),
        ("thresholds:\n  p95_response_time: 5s\n", "line 2: p95_response_time: expected keys such as limit"),
        ("dry_run: maybe\n" + threshold_text(), "line 1: dry_run: 'maybe'; expected true or false"),
        (
            "a: &a [x, x]\nb: &b [*a, *a]\nthresholds: *b\n",
            "line 1: anchors, aliases and tags are not used here",
        ),
        ("thresholds: !!python/object:os.system {}\n", "line 1: anchors, aliases and tags are not used here"),
        ("[" * 5000, "nested too deeply"),
    ],
)
def test_a_mistake_is_named_with_its_line(text, said):
    with pytest.raises(LimitsError) as caught:
        load_text(text)
    assert said in str(caught.value)


def test_a_file_that_is_too_large_or_not_there_or_not_text_is_refused(tmp_path):
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * 100_000_001)
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    for path, said in (
        (large, "at most"),
        (binary, "UTF-8"),
        (tmp_path / "none.yaml", "cannot be read"),
        (tmp_path, "cannot be read"),
    ):
        with pytest.raises(LimitsError, match=said):
            load(path)


def outcome(text):
    """Return the limits of a text, or what was said of it."""
    try:
        return load_text(text)
    except LimitsError as error:
        return str(error)


@given(st.text(max_size=400))
def test_any_text_is_limits_or_a_clear_error(text):
    assert outcome(text)


@given(st.sampled_from(sorted(CRITERIA)), st.text("0123456789.smhd%/ay-+e ", max_size=12))
def test_any_limit_is_taken_or_refused_with_its_line(name, limit):
    parsed = outcome(f"thresholds:\n  {name}:\n    limit: '{limit}'\n    over: 10s\n")
    assert "line " in parsed if isinstance(parsed, str) else parsed.thresholds[0].limit > 0
