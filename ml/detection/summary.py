"""What findings say in the whole and by class, whatever they were made from."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ml.detection.findings import Findings
from ml.detection.kinds import KINDS
from ml.detection.structure import noise_structure
from ml.detection.warnings import warn, warn_of_report
from ml.mixture import Mixture
from ml.training.history import Histogram
from ml.types import FloatArray, IntArray


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
    structure = noise_structure(
        labels_N, findings.suggested_label, findings.flagged, num_classes=len(class_names)
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
        "class_pairs": _class_pairs(findings, labels_N, class_names),
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
    total_C = _sum_by(label_N[is_judged_N], findings.p_mislabeled[is_judged_N], num_classes)
    judged_C = np.bincount(label_N[is_judged_N], minlength=num_classes)
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


def _sum_by(label_M: IntArray, value_M: FloatArray, num_classes: int) -> FloatArray:
    return np.bincount(label_M, weights=value_M, minlength=num_classes).astype(np.float64)


def _class_pairs(
    findings: Findings, label_N: IntArray, class_names: Sequence[str]
) -> list[dict[str, Any]]:
    """Return how often each class is suggested for flagged samples of another, most first."""
    pairs = Counter(
        zip(
            label_N[findings.flagged].tolist(),
            findings.suggested_label[findings.flagged].tolist(),
            strict=True,
        )
    )
    ordered = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))
    return [
        {"given": class_names[given], "suggested": class_names[suggested], "count": count}
        for (given, suggested), count in ordered
    ]
