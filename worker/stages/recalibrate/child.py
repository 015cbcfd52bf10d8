"""The child that learns from decisions: `python -m worker.stages.recalibrate.child SPEC`."""

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
from ml.detection.verdict import MAX_TOLD_WIDTH, MIN_WRONG, UNKNOWN
from worker.processes.child import StopRequest, run
from worker.stages.recalibrate.files import CALIBRATION, EVIDENCE, REPORT, RESULTS

CURVE_STEPS = (10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)
MIN_STATED = 30
"""Decisions from which on rates are stated that the network alone could not tell (convention)."""
MIN_FITTING = 0.01
"""Decisions less probable than this contradict every correction (convention)."""
RATES = ("noise_rate", "noise_rate_interval")
RENEWED = (
    *RATES, "expected_precision", "expected_precision_interval",
    "expected_recall", "expected_recall_interval", "num_flagged", "num_sure", "noise_structure",
    "per_class", "class_pairs", "fallbacks",
)  # fmt: skip
"""Of a report."""
UNSTATED: dict[str, Any] = {"noise_rate_interval": UNKNOWN, "expected_recall": None}
MISFIT = (
    "The decisions differ from what the audit expected by more than learning can correct: where "
    "nobody has decided, the probabilities may be off."
)
NUM_BINS = 10
Columns = dict[str, npt.NDArray[Any]]
Floats = npt.NDArray[np.float64]


def main(spec: dict[str, Any], stop: StopRequest) -> None:
    """Fit, and write new probabilities, the report and what the decisions say."""
    folder = Path(spec["out_dir"])
    with np.load(folder / EVIDENCE.file, allow_pickle=False) as file:
        columns = {name: file[name] for name in EVIDENCE.columns}
    report = json.loads((folder / REPORT).read_text())
    before = original(report)
    fitted = ml.recalibrate(
        columns["p"],
        columns["says_wrong"] == 1,
        columns["says_wrong"] >= 0,
        noise_rate_interval=before["noise_rate_interval"],
    )
    stop.check()
    findings = renewed(columns, fitted, was_told=UNINFORMATIVE not in before["fallbacks"])
    np.savez(folder / RESULTS, p_mislabeled=findings.p_mislabeled, flagged=findings.flagged)
    calibration = describe(columns, fitted, findings.p_mislabeled) | {
        "decided_until": spec["decided_until"],
        "rates": {"before": before, "after": {name: getattr(findings, name) for name in RATES}},
    }
    write_json(folder / CALIBRATION, calibration)
    learned = _renewed_report(report, calibration, findings, columns, spec["classes"])
    write_json(folder / REPORT, learned)


def original(report: dict[str, Any]) -> dict[str, Any]:
    """Return what the audit itself stated, before any decision."""
    if "calibration" in report:
        before: dict[str, Any] = report["calibration"]["rates"]["before"]
        return before
    return {name: report[name] for name in (*RATES, "fallbacks")}


def renewed(columns: Columns, fitted: ml.Correction, *, was_told: bool) -> ml.Findings:
    """Return what decisions make of an audit's findings.

    Args:
        columns: The evidence.
        fitted: What decisions say of the probabilities.
        was_told: False where the network learned too little to state anything. Then something is
            flagged and stated only once there are `MIN_STATED` decisions, and these leave an
            interval of the noise rate no wider than `MAX_TOLD_WIDTH`.
    """
    p_new = np.where(np.isnan(columns["p"]), columns["p_now"], fitted.apply(columns["p"]))
    low, high = _noise_rate_interval(columns, fitted)
    is_narrow = high - low <= MAX_TOLD_WIDTH
    is_told = was_told or (fitted.num_wrong + fitted.num_right >= MIN_STATED and is_narrow)
    # Only what has another class to suggest can be called wrong.
    can_be_wrong = is_told & (columns["suggested_label"] != columns["given_label"])
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
        **rates | (_intervals(columns, fitted, flagged, rates) if is_told else UNSTATED),
        fallback=None if is_told else UNINFORMATIVE,
    )


def _rates(p_new: Floats, flagged: npt.NDArray[np.bool_]) -> dict[str, Any]:
    num_judged, num_flagged = int((~np.isnan(p_new)).sum()), int(flagged.sum())
    found, expected = float(p_new[flagged].sum()), float(np.nansum(p_new))
    return {
        "noise_rate": expected / max(num_judged, 1),
        "expected_precision": found / num_flagged if num_flagged else None,
        "expected_recall": found / expected if expected > 0.0 else None,
    }


def _intervals(
    columns: Columns, fitted: ml.Correction, flagged: npt.NDArray[np.bool_], rates: dict[str, Any]
) -> dict[str, Any]:
    """Return 95 % intervals of the rates: what decisions have left open.

    Those of the audit came from hypotheses, which the decisions have spoken on since.
    """
    intervals = {"noise_rate": _noise_rate_interval(columns, fitted)}
    if num_flagged := int(flagged.sum()):
        found, missed = _count(columns, fitted, flagged), _count(columns, fitted, ~flagged)
        intervals["expected_precision"] = found.low / num_flagged, found.high / num_flagged
        intervals["expected_recall"] = (
            found.low / max(found.low + missed.high, MIN_WRONG),
            found.high / max(found.high + missed.low, MIN_WRONG),
        )
    return {
        f"{name}_interval": (min(low, rates[name]), max(high, rates[name]))
        for name, (low, high) in intervals.items()
    }


def _noise_rate_interval(columns: Columns, fitted: ml.Correction) -> tuple[float, float]:
    num_judged = max(int((~np.isnan(columns["p_now"])).sum()), 1)
    total = _count(columns, fitted, np.ones(len(columns["p"]), dtype=np.bool_))
    return total.low / num_judged, total.high / num_judged


def _count(columns: Columns, fitted: ml.Correction, where: npt.NDArray[np.bool_]) -> ml.WrongCount:
    """Return how many of these labels are wrong: those found, and those expected of the others."""
    says_wrong = columns["says_wrong"]
    num_found = int((where & (says_wrong == 1)).sum())
    open_p = columns["p"][where & (says_wrong < 0) & ~np.isnan(columns["p"])]
    left = fitted.count_wrong(open_p)
    return ml.WrongCount(
        estimate=left.estimate + num_found, low=left.low + num_found, high=left.high + num_found
    )


def _renewed_report(
    report: dict[str, Any],
    calibration: dict[str, Any],
    findings: ml.Findings,
    columns: Columns,
    classes: list[str],
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
    others = [name for name in report["fallbacks"] if name != UNINFORMATIVE]
    summary["fallbacks"] = others + summary["fallbacks"]
    told = report | {name: summary[name] for name in RENEWED} | {"calibration": calibration}
    stale = [*ml.warn_of_report(report, label, classes), MISFIT]
    kept = [text for text in report["warnings"] if text not in stale]
    misfit = [MISFIT] if calibration["predictive_check"] < MIN_FITTING else []
    return told | {"warnings": kept + ml.warn_of_report(told, label, classes) + misfit}


def describe(columns: Columns, fitted: ml.Correction, p_new: Floats) -> dict[str, Any]:
    """Return what the decisions say of the probabilities, and of what is left."""
    p, says_wrong = columns["p"], columns["says_wrong"]
    p_left = p[columns["is_left"].astype(np.bool_) & ~np.isnan(p)]
    used = (says_wrong >= 0) & ~np.isnan(p)
    return {
        "num_learned": int((says_wrong >= 0).sum()),
        "num_wrong": fitted.num_wrong,
        "remaining": asdict(fitted.count_wrong(p_left)),
        "remaining_from": "decisions",
        "curve": [asdict(point) for point in fitted.review_curve(p_left, CURVE_STEPS)],
        "predictive_check": ml.predictive_check(fitted, p[used], says_wrong[used] == 1),
        "reliability": _reliability(p[used], p_new[used], says_wrong[used]),
    }


def _reliability(p: Floats, p_new: Floats, wrong: npt.NDArray[np.int64]) -> list[dict[str, float]]:
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
    run(main)
