"""The report of uploaded scores: the keys of an audit's report, empty where nothing was trained."""

from dataclasses import asdict
from typing import Any

import ml
from ml.detection.report import MANY_WRONG
from ml.training.history import MixtureSummary, loss_histogram
from worker.scores.arrays import Scores

UPLOADED = 0
"""The epoch of a mixture that belongs to no epoch."""
_LOOKS_SWAPPED = "Are labels and columns of probabilities in the same order?"
_UNINFORMATIVE = (
    "The probabilities explain the labels no better than the class sizes do; are they of a trained "
    "model, and in the order of the labels?"
)


def build_report(scores: Scores, findings: ml.Findings, mixture: ml.Mixture) -> dict[str, Any]:
    """Return what was found, ready for strict JSON; `mixture` is that of the losses."""
    summary = ml.summarise(
        findings,
        scores.label,
        predicted_N=scores.prob.argmax(axis=1),
        class_names=scores.class_names,
        mixture=mixture,
        histogram=loss_histogram(findings.loss),
    )
    warnings = {
        _LOOKS_SWAPPED: findings.noise_rate > MANY_WRONG,
        _UNINFORMATIVE: findings.fallback is not None,
    }
    return summary | {
        "epochs": [],
        "mixture_per_epoch": [{"epoch": UPLOADED} | asdict(MixtureSummary.of(mixture))],
        "converged": mixture.converged,
        "warnings": summary["warnings"] + [text for text, applies in warnings.items() if applies],
    }
