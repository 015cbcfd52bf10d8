"""How many of the truly wrong labels `ml.detect` finds, beside four other ways.

Four public sets of out-of-fold probabilities with human, class-dependent and sparse label noise;
the same with other noise put on their true labels (the probabilities stay those of networks trained
on the first noise: an approximation); subsets; and 100 classes of normally distributed logits. No
way sees the truth. F1 is that of the truly wrong labels at a way's own flags:

* argmax: the prediction differs from the given label;
* confident learning: Northcutt, Jiang, Chuang, JAIR 2021, section 3, pruned by noise rate;
* published mixture: posterior > 0.5 of the published recipe (Arazo et al. 2019) on the loss;
* robust mixture: posterior > 0.5 of `ml.fit_mixture` on the loss.

    python -m benchmarks.detection_public FOLDER_OF_OOF_FILES
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

import ml
from benchmarks.detection_cases import SETS, Case, make_cases
from benchmarks.machine import facts
from benchmarks.mixture_outliers import f1, roc_auc
from ml.detection.detect import detect
from ml.types import BoolArray, FloatArray, IntArray

_RESULT = Path(__file__).parents[1] / "docs" / "results" / "detection-public.json"
_GOALS = dict(zip(SETS, (0.80, 0.955, 0.785, 0.843), strict=True))
_NUM_BINS = 15
_OURS = "detect"


def main() -> None:
    """Print one row a case and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    rows = []
    print(
        f"{'case':42} {'wrong':>6} {'flags':>6} {'argmax':>6} {'CL':>6} {'publ.':>6} {'robust':>6} "
        f"{'ours':>6} {'ECE':>6} {'rate':>6} interval"
    )
    for case in make_cases(parser.parse_args().folder):
        rows.append(row := measure(case))
        low, high = row["noise_rate_interval"]
        print(
            f"{row['case']:42} {row['wrong']:6.3f} {row['flagged'][_OURS]:6.3f} "
            + " ".join(f"{value or 0.0:6.3f}" for value in row["f1"].values())
            + f" {row['ece']:6.3f} {row['noise_rate']:6.3f} {low:.3f} to {high:.3f}",
            flush=True,
        )
    result = facts() | {"command": "python -m benchmarks.detection_public", "rows": rows}
    _RESULT.write_text(json.dumps(result, indent=1) + "\n")


def measure(case: Case) -> dict[str, Any]:
    """Return what every way finds, and how far what ours says of itself is true."""
    is_wrong_N = case.given != case.true
    start = time.process_time()
    found = detect(case.prob, case.given)
    seconds = time.process_time() - start
    flags = other_flags(case) | {_OURS: found.flagged}
    return {
        "case": case.name,
        "num_samples": len(case.given),
        "num_classes": case.prob.shape[1],
        "wrong": float(is_wrong_N.mean()),
        "f1": {way: f1(flag_N, is_wrong_N) for way, flag_N in flags.items()}
        if is_wrong_N.any()
        else dict.fromkeys(flags),
        "goal": _GOALS.get(case.name),
        "flagged": {way: float(flag_N.mean()) for way, flag_N in flags.items()},
        "roc_auc": roc_auc(found.p_mislabeled, is_wrong_N),
        "ece": calibration_error(found.p_mislabeled, is_wrong_N),
        "precision": _mean(is_wrong_N[found.flagged]),
        "expected_precision": found.expected_precision,
        "recall": _mean(found.flagged[is_wrong_N]),
        "expected_recall": found.expected_recall,
        "noise_rate": found.noise_rate,
        "noise_rate_interval": found.noise_rate_interval,
        "suggested_right": _mean((found.suggested_label == case.true)[is_wrong_N & found.flagged]),
        "fallback": found.fallback,
        "processor_seconds": round(seconds, 2),
    }


def other_flags(case: Case) -> dict[str, BoolArray]:
    """Return the flags of the other ways."""
    loss_N = -np.log(np.maximum(case.prob[np.arange(len(case.given)), case.given], 1e-12))
    return {
        "argmax": case.prob.argmax(axis=1) != case.given,
        "confident_learning": confident_learning(case.prob, case.given),
        "published_mixture": ml.fit_mixture(loss_N, mode="faithful").posterior(loss_N) > 0.5,
        "robust_mixture": ml.fit_mixture(loss_N).posterior(loss_N) > 0.5,
    }


def confident_learning(prob_NC: FloatArray, label_N: IntArray) -> BoolArray:
    """Return the flags of confident learning, pruned by noise rate."""
    num_classes = prob_NC.shape[1]
    size_C = np.bincount(label_N, minlength=num_classes)
    own_N = prob_NC[np.arange(len(label_N)), label_N]
    threshold_C = np.bincount(label_N, own_N, num_classes) / np.maximum(size_C, 1)
    confident_NC = np.where(prob_NC >= threshold_C - 1e-6, prob_NC, -1.0)
    is_counted_N = confident_NC.max(axis=1) >= 0.0
    joint_CC = np.zeros((num_classes, num_classes))
    np.add.at(joint_CC, (label_N[is_counted_N], confident_NC.argmax(axis=1)[is_counted_N]), 1.0)
    np.fill_diagonal(joint_CC, np.maximum(np.diag(joint_CC), 1.0))
    joint_CC *= (size_C / joint_CC.sum(axis=1))[:, None]
    flagged_N = np.zeros(len(label_N), dtype=np.bool_)
    for given in range(num_classes):
        member_K = np.flatnonzero(label_N == given)
        for true in np.delete(np.arange(num_classes), given):
            margin_K = prob_NC[member_K, true] - prob_NC[member_K, given]
            num_pruned = round(joint_CC[given, true])
            flagged_N[member_K[np.argsort(-margin_K, kind="stable")[:num_pruned]]] = True
    return np.asarray(flagged_N & (prob_NC.argmax(axis=1) != label_N))


def calibration_error(p_N: FloatArray, is_wrong_N: BoolArray) -> float:
    """Return the expected calibration error over 15 equal bins, without the samples not judged."""
    is_judged_N = ~np.isnan(p_N)
    p_M, is_wrong_M = p_N[is_judged_N], is_wrong_N[is_judged_N]
    bin_M = np.minimum((p_M * _NUM_BINS).astype(np.int64), _NUM_BINS - 1)
    gap = np.bincount(bin_M, p_M - is_wrong_M, _NUM_BINS)
    return float(np.abs(gap).sum() / max(len(p_M), 1))


def _mean(values: BoolArray) -> float | None:
    return float(values.mean()) if len(values) else None


if __name__ == "__main__":
    main()
