"""The report of an audit: plain values, ready for JSON, no NaN.

E epochs, N samples, C classes.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.detection.findings import Findings
from ml.detection.hypotheses import UNINFORMATIVE
from ml.detection.kinds import CONFLICT, KINDS
from ml.detection.neighbours import rows_by_class
from ml.detection.structure import noise_structure, stands_out
from ml.mixture import Mixture
from ml.mixture.fit import ONE_COMPONENT
from ml.training.checkpoint import TrainState
from ml.training.history import Histogram
from ml.training.passes import Evaluation
from ml.types import BoolArray, IntArray

EPOCH_COLUMNS = (
    "epoch",
    "train_loss",
    "mean_tracking_loss",
    "learning_rate",
    "images_per_second",
)
"""Fields of each epoch's report that an audit's report shows."""
SMALLER_SLICES = "smaller_slices"
LEARNED_TOO_LITTLE = (
    "The network learned too little to judge labels: by its predictions any share of them may be "
    "wrong. Samples are ranked, but none is flagged and no quality is stated. Train longer, on "
    "more images, or with the preset quick."
)
MANY_WRONG = 0.4
WIDE_INTERVAL = 0.05
"""Width from which the report explains why the interval of the noise rate is wide (convention)."""
QUARTILES = (0.25, 0.5, 0.75)
_MAX_CELLS = 2**24
"""Losses in memory at once: 64 MiB."""


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
        "epochs": [
            {name: getattr(report, name) for name in EPOCH_COLUMNS} for report in state.reports
        ],
        "mixture_per_epoch": [
            {"epoch": report.epoch} | asdict(report.mixture) for report in state.reports
        ],
        "fallbacks": summary["fallbacks"] + ([SMALLER_SLICES] if state.slice_size else []),
        "converged": bool(last and last.mixture.converged),
        "warnings": summary["warnings"] + _warnings(state, findings),
    }


def _warnings(state: TrainState, findings: Findings) -> list[str]:
    """Return warnings on the training."""
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


def summarise(
    findings: Findings,
    labels_N: IntArray,
    *,
    predicted_N: IntArray,
    class_names: Sequence[str],
    mixture: Mixture | None,
    histogram: Histogram | None,
) -> dict[str, Any]:
    """Return the part of a report that needs no training.

    Args:
        findings: Verdicts on N samples.
        labels_N: Given labels, shape (N,), integers in [0, C).
        predicted_N: Most probable class of each sample, shape (N,).
        class_names: Names of the classes, in the order of the labels.
        mixture: Fitted to the losses, where there is one.
        histogram: Of the same losses.

    Returns:
        A dictionary that `json.dumps(..., allow_nan=False)` takes. Rates are shares in [0, 1],
        losses are in nats.
    """
    num_differing = int((predicted_N != labels_N).sum())
    # Conflicts do not count in the class pairs: which of their labels is wrong is unknown.
    by_model_N = findings.flagged & (findings.verdict != CONFLICT)
    structure = noise_structure(
        labels_N, findings.suggested_label, by_model_N, num_classes=len(class_names)
    )
    fallbacks = (mixture.fallback if mixture else None, findings.fallback)
    summary = {
        **_rates(findings),
        "num_samples": len(labels_N),
        "num_flagged": int(findings.flagged.sum()),
        "num_sure": int(findings.sure.sum()),
        "num_not_judged": int(np.isnan(findings.p_mislabeled).sum()),
        "verdicts": {kind: int((findings.verdict == kind).sum()) for kind in KINDS},
        "noise_structure": asdict(structure),
        "baseline": {"argmax_differs": num_differing},
        "accuracy": {
            "train_given_labels": 1.0 - num_differing / len(labels_N),
            "test": None,
            "num_test_samples": 0,
        },
        "loss_histogram": fitted_histogram(mixture, histogram) if histogram else None,
        "per_class": _per_class(findings, labels_N, class_names),
        "class_pairs": _class_pairs(
            labels_N[by_model_N], findings.suggested_label[by_model_N], class_names
        ),
        "fallbacks": [name for name in fallbacks if name is not None],
    }
    told = warn(findings, mixture) + warn_of_report(summary, labels_N, class_names)
    return summary | {"warnings": told}


def _rates(findings: Findings) -> dict[str, Any]:
    return {
        "noise_rate": findings.noise_rate,
        "noise_rate_interval": list(findings.noise_rate_interval),
        "expected_precision": findings.expected_precision,
        "expected_precision_interval": list(findings.expected_precision_interval),
        "expected_recall": findings.expected_recall,
        "expected_recall_interval": list(findings.expected_recall_interval),
    }


def fitted_histogram(mixture: Mixture | None, histogram: Histogram) -> dict[str, Any]:
    """Return a loss histogram and the expected count of each component in every bin.

    Args:
        mixture: Fitted to the losses, where there is one.
        histogram: Of the same losses, B bins.

    Returns:
        `edges` (B + 1, nats), `counts` (B) and `expected_counts`: `clean` and `noisy`, each B
        numbers, or none where no mixture fits. Plain values, ready for JSON.
    """
    edges = np.asarray(histogram.edges)
    fitted: dict[str, list[float]] = {"clean": [], "noisy": []}
    if mixture is not None and mixture.fallback is None:
        centres = (edges[:-1] + edges[1:]) / 2.0
        expected_KM = mixture.density(centres) * np.diff(edges) * sum(histogram.counts)
        fitted = {"clean": expected_KM[0].tolist(), "noisy": expected_KM[1].tolist()}
    return {
        "edges": list(histogram.edges),
        "counts": list(histogram.counts),
        "expected_counts": fitted,
    }


def _per_class(
    findings: Findings, label_N: IntArray, class_names: Sequence[str]
) -> list[dict[str, Any]]:
    num_classes = len(class_names)
    size_C = np.bincount(label_N, minlength=num_classes)
    flagged_C = np.bincount(label_N[findings.flagged], minlength=num_classes)
    is_judged_N = ~np.isnan(findings.p_mislabeled)
    label_M, p_wrong_M = label_N[is_judged_N], findings.p_mislabeled[is_judged_N]
    total_C = np.bincount(label_M, weights=p_wrong_M, minlength=num_classes)
    judged_C = np.bincount(label_M, minlength=num_classes)
    return [
        {
            "label": name,
            "num_samples": int(size_C[label]),
            "num_flagged": int(flagged_C[label]),
            "noise_rate_estimate": float(total_C[label] / judged_C[label])
            if judged_C[label]
            else None,
        }
        for label, name in enumerate(class_names)
    ]


def _class_pairs(
    label_M: IntArray, suggested_M: IntArray, class_names: Sequence[str]
) -> list[dict[str, Any]]:
    """Return how often each class is suggested for flagged samples of another, most first."""
    pairs = Counter(zip(label_M.tolist(), suggested_M.tolist(), strict=True))
    ordered = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))
    return [
        {"given": class_names[given], "suggested": class_names[suggested], "count": count}
        for (given, suggested), count in ordered
    ]


def warn(findings: Findings, mixture: Mixture | None) -> list[str]:
    """Return warnings on the findings, in plain words."""
    warnings = []
    num_unjudged = int(np.isnan(findings.p_mislabeled).sum())
    if num_unjudged:
        warnings.append(f"{num_unjudged} samples are alone in their class and were not judged.")
    if mixture is not None and mixture.fallback not in (None, ONE_COMPONENT):
        warnings.append(
            "The losses are too few or too equal for a mixture: its posteriors are all 0."
        )
    return warnings


def warn_of_report(
    report: Mapping[str, Any], label_N: IntArray, class_names: Sequence[str]
) -> list[str]:
    """Return warnings on a report's rates, structure and pairs.

    The warnings must be renewed together with these parts of a report.
    """
    warnings = []
    low, high = report["noise_rate_interval"]
    is_told = UNINFORMATIVE not in report["fallbacks"] and "calibration" not in report
    if is_told and WIDE_INTERVAL < high - low < 1.0:
        warnings.append(
            f"Between {low:.0%} and {high:.0%} of the labels are wrong: predictions alone do not "
            "tell whether the network or the annotators are unsure of hard images. Thirty "
            "decisions, on the samples to look at first, narrow that."
        )
    if report["noise_rate"] > MANY_WRONG:
        warnings.append("Many of the labels may be wrong; check how the labels were made.")
    if report["noise_structure"]["is_structured"]:
        warnings.append(
            "Wrong labels are not spread evenly: some classes are taken for certain others. The "
            "class pairs show which; a rule for annotators may help more than single corrections."
        )
    return warnings + _warn_of_pair(report["class_pairs"], label_N, class_names)


def _warn_of_pair(
    pairs: Sequence[Mapping[str, Any]], label_N: IntArray, class_names: Sequence[str]
) -> list[str]:
    """Return a sentence about the largest pair of classes, where it is larger than by chance."""
    if not pairs:
        return []
    first, num_flagged = pairs[0], sum(pair["count"] for pair in pairs)
    share = float((label_N == class_names.index(first["given"])).mean())
    if not stands_out(
        first["count"],
        num_flagged=num_flagged,
        share_of_label=share,
        num_classes=len(class_names),
    ):
        return []
    sentence = (
        f"Wrong labels concentrate on one pair of classes: {first['count']} of {num_flagged} "
        f"flagged samples are given as {first['given']!r} and look like {first['suggested']!r}."
    )
    return [sentence]


def class_curves(
    loss_EN: NDArray[np.float16], label_N: IntArray, counts_N: BoolArray, *, num_classes: int
) -> NDArray[np.float32]:
    """Return the quartiles of the losses in each class after every epoch, in nats.

    Args:
        loss_EN: Losses of the given labels, in nats.
        label_N: The classes.
        counts_N: Which samples count.
        num_classes: C.

    Returns:
        Lower quartile, median and upper quartile, shape (C, 3, E); NaN for a class without samples.
    """
    num_epochs = len(loss_EN)
    curves = np.full((num_classes, len(QUARTILES), num_epochs), np.nan, dtype=np.float32)
    for label, member_M in rows_by_class(label_N, counts_N).items():
        step = max(_MAX_CELLS // len(member_M), 1)
        for start in range(0, num_epochs, step):
            epochs = slice(start, start + step)
            block_EM = loss_EN[epochs, member_M].astype(np.float32)
            curves[label, :, epochs] = np.quantile(block_EM, QUARTILES, axis=1)
    return curves
