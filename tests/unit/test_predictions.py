"""The evaluator's model and the replay say of recorded runs what the clients of these runs saw."""

import json

import pytest

from bench import predictions
from metrics.decisions.statistics import quantile_of

RECORDED = json.loads(predictions.RECORDED.read_text())
MACHINE = RECORDED["machine"]
# Above, inline refuses what exceeds its share of the threads; such a client comes again later, which no model foresees.
WITH_FEW_REFUSALS = ("0.8", "0.95")


def runs_of(mode):
    return {load: modes[mode] for load, modes in RECORDED["runs"].items()}


def p95_seconds(run):
    return quantile_of([in_hand_seconds for *_, in_hand_seconds in run], 0.95)


@pytest.mark.parametrize("load", WITH_FEW_REFUSALS)
def test_the_model_of_the_evaluator_is_within_15_percent_of_the_measured_p95(load):
    run = runs_of("inline")[load]
    machine = {name: MACHINE[name] for name in ("render_slots", "web_threads")}
    assert predictions.predict_inline(run, **machine) == pytest.approx(
        p95_seconds(run), rel=predictions.MAX_ERROR_OF_MODEL
    )


@pytest.mark.parametrize("load", RECORDED["runs"])
def test_the_replay_is_within_25_percent_of_the_measured_p95(load):
    run = runs_of("auto")[load]
    assert predictions.predict_auto(run, **MACHINE) == pytest.approx(
        p95_seconds(run), rel=predictions.MAX_ERROR_OF_REPLAY
    )
