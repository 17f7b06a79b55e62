"""What the evaluator's model and the replay predict for a run of ``bench.regret``, beside what its clients saw."""

import json
from pathlib import Path

from django.conf import settings

from bench.report import Row
from bench.server import ROOT
from metrics.decisions import inline_model, limits_file, replay
from metrics.decisions.inline_model import Arrival, ServerModel
from metrics.decisions.statistics import quantile_of

MAX_ERROR_OF_MODEL = 0.15
MAX_ERROR_OF_REPLAY = 0.25
MAX_REGRET = 1.1

RECORDED = (
    ROOT / "bench" / "recorded_runs.json"
)  # of the last whole run of bench.regret; a test predicts them

type Render = tuple[float, float, float]  # when it was due, what it took, until it was in hand; in seconds


def predict_inline(renders: list[Render], *, render_slots: int, web_threads: int) -> float:
    """Return the p95 in seconds that the evaluator's model gives these PDFs inline."""
    machine = ServerModel(
        web_threads=web_threads,
        render_slots=render_slots,
        deadline_seconds=settings.SPMS_INLINE_DEADLINE,
    )
    return quantile_of(inline_model.latencies(_arrivals(renders), machine), 0.95) or 0.0


def predict_auto(renders: list[Render], *, render_slots: int, web_threads: int, workers: int) -> float:
    """Return the p95 in seconds that the replay gives these PDFs in ``auto``, with the limits of the repository."""
    site = replay.Site(
        web_threads=web_threads,
        queue_workers=workers,
        inline_slots=max(1, web_threads // 2),
        deadline_seconds=settings.SPMS_INLINE_DEADLINE,
        render_slots=render_slots,
    )
    return replay.replay(
        _arrivals(renders), limits_file.load(Path(ROOT / "thresholds.yaml")), site
    ).pdf_p95_seconds


def record(runs: dict[str, dict[str, list[Render]]]) -> None:
    """Keep the runs of each load, by mode, and the machine that served them."""
    machine = {
        "render_slots": settings.SPMS_RENDER_SLOTS,
        "web_threads": settings.SPMS_WEB_THREADS,
        "workers": settings.SPMS_QUEUE_WORKERS,
    }
    rounded = {
        load: {mode: [[round(value, 2) for value in render] for render in run] for mode, run in modes.items()}
        for load, modes in runs.items()
    }
    RECORDED.write_text(json.dumps({"machine": machine, "runs": rounded}) + "\n")


def rows(load: str, renders: dict[str, list[Render]]) -> list[Row]:
    """Return the predictions for the runs of a load, by mode, beside their measured p95."""
    machine = {"render_slots": settings.SPMS_RENDER_SLOTS, "web_threads": settings.SPMS_WEB_THREADS}
    inline = predict_inline(renders["inline"], **machine)
    auto = predict_auto(renders["auto"], **machine, workers=settings.SPMS_QUEUE_WORKERS)
    return [
        _row(
            f"load {load}, inline: p95 of the evaluator's model",
            inline,
            renders["inline"],
            MAX_ERROR_OF_MODEL,
        ),
        _row(f"load {load}, auto: p95 of the replay", auto, renders["auto"], MAX_ERROR_OF_REPLAY),
        _regret_row(load, renders["auto"], predict_inline(renders["auto"], **machine)),
    ]


def _regret_row(load: str, renders: list[Render], inline_seconds: float) -> Row:
    """Return a run in auto beside the model of inline with the same renders, which took what they took there.

    So the machine may have been faster or slower in the other runs.
    """
    measured_seconds = _p95(renders)
    regret = measured_seconds / inline_seconds if inline_seconds else float("inf")
    return Row(
        criterion=f"load {load}, auto: p95 beside that of the same renders inline, by the evaluator's model",
        goal=f"≤ {MAX_REGRET} ×",
        measured=f"{measured_seconds:.1f} s to {inline_seconds:.1f} s; {regret:.2f} ×",
        is_met=regret <= MAX_REGRET,
    )


def _arrivals(renders: list[Render]) -> list[Arrival]:
    return sorted(Arrival(due_at, seconds, True) for due_at, seconds, _ in renders)


def _p95(renders: list[Render]) -> float:
    return quantile_of([in_hand_seconds for *_, in_hand_seconds in renders], 0.95) or 0.0


def _row(criterion: str, predicted: float, renders: list[Render], max_error: float) -> Row:
    measured = _p95(renders)
    error = predicted / measured - 1 if measured else float("inf")
    return Row(
        criterion=criterion,
        goal=f"within {max_error:.0%} of the measured one",
        measured=f"{predicted:.1f} s, measured {measured:.1f} s ({error:+.0%})",
        is_met=abs(error) <= max_error,
    )
