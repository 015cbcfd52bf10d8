"""The child that learns from decisions: `python -m worker.recalibrator SPEC`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import ml
from app.core.durable import write_json
from app.models import CONFLICT
from ml.detection.hypotheses import UNINFORMATIVE
from ml.detection.intervals import MIN_WRONG, UNKNOWN
from worker.child import read_spec, telling_full_disk
from worker.recalibration import CALIBRATION, EVIDENCE, REPORT, RESULTS

CURVE_STEPS = (10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)
MIN_RANDOM = 50
"""Decided samples drawn at random from which on they alone tell what is left: the others were
chosen, perhaps by more than their probability."""
RENEWED = (
    "noise_rate", "noise_rate_interval", "expected_precision", "expected_precision_interval",
    "expected_recall", "expected_recall_interval", "num_flagged", "num_sure", "noise_structure",
    "per_class", "class_pairs",
)  # fmt: skip
"""Of a report."""
UNSTATED: dict[str, Any] = {"noise_rate_interval": UNKNOWN, "expected_recall": None}
OLDER: dict[str, Any] = {"fallbacks": [], "noise_structure": {"is_structured": None}}
"""What reports of earlier versions may lack."""
NUM_BINS = 10
Columns = dict[str, npt.NDArray[Any]]


@telling_full_disk()
def main() -> None:
    """Fit, and write new probabilities, the report and what the decisions say."""
    spec = read_spec()
    folder = Path(spec["out_dir"])
    with np.load(folder / EVIDENCE.file, allow_pickle=False) as file:
        columns = {name: file[name] for name in EVIDENCE.columns}
    report = OLDER | json.loads((folder / REPORT).read_text())
    fitted = ml.recalibrate(columns["p"], columns["says_wrong"] == 1, columns["says_wrong"] >= 0)
    findings = renewed(columns, fitted, can_flag=UNINFORMATIVE not in report["fallbacks"])
    np.savez(folder / RESULTS, p_mislabeled=findings.p_mislabeled, flagged=findings.flagged)
    calibration = describe(columns, fitted, findings.p_mislabeled)
    calibration["decided_until"] = spec["decided_until"]
    write_json(folder / CALIBRATION, calibration)
    learned = _renewed_report(report, findings, columns, spec["classes"])
    write_json(folder / REPORT, learned | {"calibration": calibration})


def renewed(columns: Columns, fitted: ml.Calibration, *, can_flag: bool) -> ml.Findings:
    """Return what decisions make of an audit's findings.

    Args:
        columns: The evidence.
        fitted: What decisions say of the probabilities.
        can_flag: False where the network learned too little: still nothing is flagged then, and no
            quality is stated.
    """
    p_new = np.where(np.isnan(columns["p"]), columns["p_now"], fitted.apply(columns["p"]))
    # Only what has another class to suggest can be called wrong.
    can_be_wrong = can_flag & (columns["suggested_label"] != columns["given_label"])
    p_flaggable = np.where(can_be_wrong, p_new, np.nan)
    flagged = ml.worth_a_look(p_flaggable)
    rates = _rates(p_new, flagged)
    return ml.Findings(
        p_mislabeled=p_new,
        suggested_label=columns["suggested_label"],
        suggested_confidence=np.zeros_like(p_new),
        flagged=flagged | columns["is_conflict"],
        sure=ml.surely_wrong(p_flaggable),
        rank=np.arange(1, len(p_new) + 1),
        loss=np.zeros_like(p_new),
        signals={},
        verdict=np.where(columns["is_conflict"], CONFLICT, ""),
        **rates | (_intervals(columns, fitted, flagged, rates) if can_flag else UNSTATED),
        fallback=None if can_flag else UNINFORMATIVE,
    )


def _rates(p_new: npt.NDArray[np.float64], flagged: npt.NDArray[np.bool_]) -> dict[str, Any]:
    num_judged, num_flagged = int((~np.isnan(p_new)).sum()), int(flagged.sum())
    found, expected = float(p_new[flagged].sum()), float(np.nansum(p_new))
    return {
        "noise_rate": expected / max(num_judged, 1),
        "expected_precision": found / num_flagged if num_flagged else None,
        "expected_recall": found / expected if expected > 0.0 else None,
    }


def _intervals(
    columns: Columns,
    fitted: ml.Calibration,
    flagged: npt.NDArray[np.bool_],
    rates: dict[str, Any],
) -> dict[str, Any]:
    """Return 95 % intervals of the rates: what decisions have left open.

    Those of the audit came from hypotheses, which the decisions have spoken on since.
    """
    p, num_flagged = columns["p"], int(flagged.sum())
    num_judged = max(int((~np.isnan(columns["p_now"])).sum()), 1)
    total = ml.estimate_remaining(fitted, p, np.ones_like(flagged))
    intervals = {"noise_rate": (total.low / num_judged, total.high / num_judged)}
    if num_flagged:
        found = ml.estimate_remaining(fitted, p, flagged)
        missed = ml.estimate_remaining(fitted, p, ~flagged)
        intervals["expected_precision"] = found.low / num_flagged, found.high / num_flagged
        intervals["expected_recall"] = (
            found.low / max(found.low + missed.high, MIN_WRONG),
            found.high / max(found.high + missed.low, MIN_WRONG),
        )
    return {
        f"{name}_interval": (min(low, rates[name]), max(high, rates[name]))
        for name, (low, high) in intervals.items()
    }


def _renewed_report(
    report: dict[str, Any], findings: ml.Findings, columns: Columns, classes: list[str]
) -> dict[str, Any]:
    """Return the report with the parts that tell of probabilities and flags made anew."""
    label = columns["given_label"]
    summary = ml.summarise(
        findings,
        label,
        predicted_N=columns["suggested_label"],
        class_names=classes,
        mixture=None,
        histogram=None,
    )
    told = report | {name: summary[name] for name in RENEWED}
    stale = ml.warn_of_report(report, label, classes)
    kept = [text for text in report["warnings"] if text not in stale]
    return told | {"warnings": kept + ml.warn_of_report(told, label, classes)}


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
