"""How well wrong labels are found, against the truth."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt

import ml
from benchmarks import quality
from benchmarks.study.results import DetectionScore

Scores = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
FLAG_ABOVE = 0.5

_Kind = Literal["beta", "gaussian"]
_Mode = Literal["robust", "faithful"]
ESTIMATORS: dict[str, tuple[_Kind, _Mode]] = {
    "bmm-robust": ("beta", "robust"),
    "bmm-faithful": ("beta", "faithful"),
    "gmm-robust": ("gaussian", "robust"),
    "gmm-faithful": ("gaussian", "faithful"),
}
"""The noise models that are compared, each fitted to the losses of one epoch."""


def posteriors(losses: npt.NDArray[np.float32]) -> Iterator[tuple[str, Scores]]:
    """Yield each estimator's name and its probability that a label is wrong, shape (N,)."""
    for name, (kind, mode) in ESTIMATORS.items():
        yield name, ml.fit_mixture(losses, kind=kind, mode=mode).posterior(losses)


def measure(scores: Scores, flags: Flags, is_wrong: Flags) -> DetectionScore:
    """Compare scores and flags with the truth; undefined figures are None."""
    return {
        "roc_auc": roc_auc(scores, is_wrong),
        "f1": f1(flags, is_wrong),
        "flagged": float(flags.mean()),
    }


def roc_auc(scores: Scores, is_wrong: Flags) -> float | None:
    """Return the area under the ROC curve; a score that is NaN (not judged) ranks below all."""
    return quality.roc_auc(np.nan_to_num(scores, nan=-1.0), is_wrong)


def f1(flags: Flags, is_wrong: Flags) -> float | None:
    """Return the harmonic mean of precision and recall; None where no label is wrong."""
    return quality.f1(flags, is_wrong) if is_wrong.any() else None


def roc_curve(scores: Scores, is_wrong: Flags) -> tuple[Scores, Scores]:
    """Return false and true positive rates at every threshold, from (0, 0) to (1, 1)."""
    order = np.argsort(-scores, kind="stable")
    # Samples with equal scores are flagged together: one point for each distinct score.
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    hits = np.cumsum(is_wrong[order])[ends]
    false_alarms = ends + 1 - hits
    true_rate = np.concatenate([[0.0], hits / max(hits[-1], 1)])
    false_rate = np.concatenate([[0.0], false_alarms / max(false_alarms[-1], 1)])
    return false_rate, true_rate
