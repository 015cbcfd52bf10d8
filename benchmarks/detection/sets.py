"""What `ml.detect` finds and states from predictions alone, beside argmax and confident learning.

    OPENBLAS_NUM_THREADS=1 python -m benchmarks.detection.sets [--part sets|small|scale|all]
        [--data ../shared/data] [--draws 50]

Sets: labels that people got wrong, noise that was injected, and right labels. Where people judged
only some samples, F1, ROC-AUC and calibration are over these, and the share of wrong labels is a
lower bound: an interval counts as holding the truth unless it ends below. Small: `small_sets`.
Scale: `detection_scale`. argmax flags where the prediction differs from the given label, confident
learning is cleanlab's filter; both rank by the predicted probability of the given label. No way
sees the truth. A part that is run replaces its old result.
"""

import argparse
import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import ml
from benchmarks.detection import many_classes, small_sets
from benchmarks.detection.cases import Case, load_sets
from benchmarks.detection.ways import OURS, doubt, flags_of
from benchmarks.harness import RESULTS, ROOT, facts, keep
from benchmarks.quality import (
    UNINFORMED,
    Interval,
    calibration_error,
    f1,
    group_means,
    holds,
    roc_auc,
    winkler_score,
)
from ml.types import BoolArray

Result = dict[str, Any]

DATA = ROOT.parent / "shared" / "data"
_OUT = RESULTS / "detection-sets.json"


def main() -> None:
    """Run what is asked for, print it and put it into the result."""
    options = _options()
    parts: dict[str, Callable[[], Result]] = {
        "sets": partial(measure_sets, options.data),
        "small": lambda: {"rows": small_sets.measure(options.draws)},
        "scale": lambda: {"rows": many_classes.measure()},
    }
    result = json.loads(options.out.read_text()) if options.out.exists() else {}
    for name, measure in parts.items():
        if options.part not in {name, "all"}:
            continue
        if name == "sets" and not options.data.exists():
            print(f"sets: skipped, there is nothing at {options.data}")
            continue
        origin = facts(options) | {"blas_threads": os.environ.get("OPENBLAS_NUM_THREADS")}
        result[name] = origin | measure()
        print(json.dumps(result[name], indent=1), flush=True)
        keep(result, options.out)


def measure_sets(folder: Path) -> Result:
    """Return a row for each set, the means of the groups, and how often rates are held."""
    rows = [measure_set(case) for case in load_sets(folder)]
    noisy = [row for row in rows if row["wrong"] > 0.0]
    return {
        "rows": rows,
        "group_f1": {
            way: group_means((row["group"], row["f1"][way]) for row in noisy)
            for way in rows[0]["f1"]
        },
        "rate_held": float(np.mean([row["rate_held"] for row in rows])),
    }


def measure_set(case: Case) -> Result:
    """Return what every way finds, and how far what ours says of itself is true."""
    found = ml.detect(case.prob, case.given)
    flags = flags_of(case.prob, case.given, found.flagged)
    doubt_N = doubt(case.prob, case.given)
    score = dict.fromkeys(flags, doubt_N) | {OURS: found.p_mislabeled}
    seen_N = case.is_checked & ~np.isnan(found.p_mislabeled)
    wrong_M = case.is_wrong[seen_N]
    sure_M = found.sure[seen_N]
    return {
        "set": case.name,
        "group": case.group,
        "num_samples": len(case.given),
        "num_checked": int(case.is_checked.sum()),
        "wrong": float(case.is_wrong.mean()),
        "f1": {way: f1(flag_N[seen_N], wrong_M) for way, flag_N in flags.items()},
        "roc_auc": {way: roc_auc(score_N[seen_N], wrong_M) for way, score_N in score.items()},
        "ece": {way: calibration_error(score_N[seen_N], wrong_M) for way, score_N in score.items()},
        "flagged": {way: float(flag_N.mean()) for way, flag_N in flags.items()},
        "sure": float(found.sure.mean()),
        "sure_seen": int(sure_M.sum()),
        "sure_wrong": _mean(wrong_M[sure_M]),
        **_rate(found, case),
        "precision": _mean(wrong_M[found.flagged[seen_N]]),
        "expected_precision": found.expected_precision,
        "expected_precision_interval": found.expected_precision_interval,
        "recall": _mean(found.flagged[seen_N][wrong_M]),
        "expected_recall": found.expected_recall,
        "expected_recall_interval": found.expected_recall_interval,
        "fallback": found.fallback,
    }


def _rate(found: ml.Detection, case: Case) -> Result:
    """Return the noise rate with its interval, and how good that is."""
    interval: Interval = found.noise_rate_interval
    truth, is_bound = float(case.is_wrong.mean()), not case.is_checked.all()
    if is_bound:  # of all rates that are not refuted, the one that suits the interval best
        truth = max(truth, interval[0])
    return {
        "noise_rate": found.noise_rate,
        "noise_rate_interval": interval,
        "rate_is_lower_bound": is_bound,
        "rate_held": holds(interval, truth),
        "rate_width": interval[1] - interval[0],
        "winkler": winkler_score(interval, truth),
        "winkler_uninformed": winkler_score(UNINFORMED, truth),
    }


def _mean(values: BoolArray) -> float | None:
    return float(values.mean()) if len(values) else None


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", default="all", choices=("sets", "small", "scale", "all"))
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--draws", type=int, default=50, help="of each small size and noise")
    parser.add_argument("--out", type=Path, default=_OUT)
    return parser.parse_args()


if __name__ == "__main__":
    main()
