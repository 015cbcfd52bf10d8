"""The child that learns from decisions: `python -m worker.recalibrator SPEC`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import ml
from app.core.durable import write_json
from worker.child import read_spec, telling_full_disk
from worker.recalibration import CALIBRATION, EVIDENCE, REPORT, RESULTS

CURVE_STEPS = (10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)
MIN_RANDOM = 50
"""Decided samples drawn at random from which on they alone tell what is left: the others were
chosen, perhaps by more than their probability."""
RENEWED = (
    "noise_rate", "expected_precision", "expected_recall", "num_flagged", "per_class",
    "class_pairs",
)  # fmt: skip
"""Of a report."""
NUM_BINS = 10
Columns = dict[str, npt.NDArray[Any]]


@telling_full_disk()
def main() -> None:
    """Fit, and write new probabilities, the report and what the decisions say."""
    spec = read_spec()
    folder = Path(spec["out_dir"])
    with np.load(folder / EVIDENCE.file, allow_pickle=False) as file:
        columns = {name: file[name] for name in EVIDENCE.columns}
    fitted = ml.recalibrate(columns["p"], columns["says_wrong"] == 1, columns["says_wrong"] >= 0)
    p_new = np.where(np.isnan(columns["p"]), columns["p_now"], fitted.apply(columns["p"]))
    # Only what has another class to suggest can be called wrong.
    can_be_wrong = columns["suggested_label"] != columns["given_label"]
    flagged = ml.worth_a_look(np.where(can_be_wrong, p_new, np.nan))
    np.savez(folder / RESULTS, p_mislabeled=p_new, flagged=flagged)
    calibration = describe(columns, fitted, p_new) | {"decided_until": spec["decided_until"]}
    write_json(folder / CALIBRATION, calibration)
    report = json.loads((folder / REPORT).read_text())
    learned = _summary(columns, p_new, flagged, spec["classes"])
    write_json(folder / REPORT, report | learned | {"calibration": calibration})


def _summary(
    columns: Columns,
    p_new: npt.NDArray[np.float64],
    flagged: npt.NDArray[np.bool_],
    classes: list[str],
) -> dict[str, Any]:
    """Return the parts of a report that tell of probabilities and flags."""
    is_judged = ~np.isnan(p_new)
    found, expected = float(p_new[flagged].sum()), float(p_new[is_judged].sum())
    findings = ml.Findings(
        p_mislabeled=p_new,
        suggested_label=columns["suggested_label"],
        suggested_confidence=np.zeros_like(p_new),
        flagged=flagged,
        sure=ml.surely_wrong(p_new),
        rank=np.arange(1, len(p_new) + 1),
        loss=np.zeros_like(p_new),
        signals={},
        verdict=np.full(len(p_new), ""),
        noise_rate=expected / max(int(is_judged.sum()), 1),
        noise_rate_interval=(0.0, 1.0),
        expected_precision=found / int(flagged.sum()) if flagged.any() else None,
        expected_recall=found / expected if expected > 0.0 else None,
        fallback=None,
    )
    summary = ml.summarise(
        findings,
        columns["given_label"],
        predicted_N=columns["suggested_label"],
        class_names=classes,
        mixture=None,
        histogram=None,
    )
    return {name: summary[name] for name in RENEWED}


def describe(
    columns: Columns, fitted: ml.Calibration, p_new: npt.NDArray[np.float64]
) -> dict[str, Any]:
    """Return what the decisions say of the probabilities, and of what is left."""
    p, is_left = columns["p"], columns["is_left"].astype(np.bool_)
    is_decided = columns["says_wrong"] >= 0
    by_chance = is_decided & columns["is_random"].astype(np.bool_)
    is_random_enough = int(by_chance.sum()) >= MIN_RANDOM
    judge = fitted
    if is_random_enough:
        judge = ml.recalibrate(p, columns["says_wrong"] == 1, by_chance)
    return {
        "num_learned": int(is_decided.sum()),
        "num_wrong": fitted.num_wrong,
        "remaining": asdict(ml.estimate_remaining(judge, p, is_left)),
        "remaining_from": "random_sample" if is_random_enough else "decisions",
        "curve": [asdict(point) for point in ml.review_curve(judge, p, is_left, CURVE_STEPS)],
        "reliability": _reliability(p, p_new, columns["says_wrong"]),
    }


def _reliability(
    p: npt.NDArray[np.float64], p_new: npt.NDArray[np.float64], says_wrong: npt.NDArray[np.int64]
) -> list[dict[str, float]]:
    used = (says_wrong >= 0) & ~np.isnan(p)
    p, p_new, wrong = p[used], p_new[used], says_wrong[used]
    bins = np.minimum((p * NUM_BINS).astype(np.int64), NUM_BINS - 1)
    return [
        {
            "low": number / NUM_BINS,
            "high": (number + 1) / NUM_BINS,
            "num": int((bins == number).sum()),
            "mean_p": float(p[bins == number].mean()),
            "mean_calibrated": float(p_new[bins == number].mean()),
            "share_wrong": float(wrong[bins == number].mean()),
        }
        for number in np.unique(bins).tolist()
    ]


if __name__ == "__main__":
    main()
