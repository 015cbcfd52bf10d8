"""The report of an audit: plain values, ready for JSON, no NaN."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ml.detection.findings import Findings
from ml.detection.summary import summarise
from ml.training.checkpoint import TrainState
from ml.training.history import EpochReport
from ml.training.passes import Evaluation
from ml.types import IntArray

SMALLER_SLICES = "smaller_slices"
LEARNED_TOO_LITTLE = (
    "The network learned too little to judge labels: by its predictions any share of them may be "
    "wrong. Samples are ranked, but none is flagged and no quality is stated. Train longer, on "
    "more images, or with the preset quick."
)


def build_report(
    state: TrainState,
    findings: Findings,
    labels_N: IntArray,
    *,
    class_names: Sequence[str],
    test: Evaluation | None = None,
) -> dict[str, Any]:
    """Return what an audit found, in the whole and by class.

    Args:
        state: The training, after its last epoch.
        findings: What `score` made of it.
        labels_N: Given labels, shape (N,), integers in [0, C).
        class_names: Names of the classes, in the order of the labels.
        test: Accuracy on a test split, where there is one.

    Returns:
        A dictionary that `json.dumps(..., allow_nan=False)` takes. Rates are shares in [0, 1],
        losses are in nats.
    """
    last = state.reports[-1] if state.reports else None
    summary = summarise(
        findings,
        np.asarray(labels_N, dtype=np.int64),
        predicted_N=state.history.last_prediction.numpy(),
        class_names=class_names,
        mixture=state.mixture,
        histogram=last.loss_histogram if last else None,
    )
    if test is not None:
        summary["accuracy"] |= {"test": test.accuracy, "num_test_samples": test.num_samples}
    return summary | {
        "epochs": [_epoch_row(report) for report in state.reports],
        "mixture_per_epoch": [
            {"epoch": report.epoch} | asdict(report.mixture) for report in state.reports
        ],
        "fallbacks": summary["fallbacks"] + _training_fallbacks(state),
        "converged": bool(last and last.mixture.converged),
        "warnings": summary["warnings"] + _warnings(state, findings),
    }


def _epoch_row(report: EpochReport) -> dict[str, Any]:
    names = ("epoch", "train_loss", "mean_tracking_loss", "learning_rate", "images_per_second")
    return {name: getattr(report, name) for name in names}


def _training_fallbacks(state: TrainState) -> list[str]:
    return [] if state.slice_size is None else [SMALLER_SLICES]


def _warnings(state: TrainState, findings: Findings) -> list[str]:
    """Return what a reader should know of the training."""
    warnings = []
    if findings.fallback:
        warnings.append(LEARNED_TOO_LITTLE)
    if state.rolled_back_in is not None:
        warnings.append(
            f"The loss stopped being finite in epoch {state.rolled_back_in}; training went on from "
            "the epoch before with a tenth of the learning rate."
        )
    if state.slice_size is not None:
        first = next((r.epoch for r in state.reports if r.slice_size), state.epochs_done)
        warnings.append(
            f"Memory did not suffice for a whole batch: from epoch {first} on, batches of the same "
            f"size were computed in slices of at most {state.slice_size} samples. The steps are "
            "those of the whole batch, but batch normalisation saw one slice at a time."
        )
    return warnings
