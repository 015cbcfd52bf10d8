"""The report of an audit, small."""

from typing import Any

REPORT: dict[str, Any] = {
    "noise_rate": 0.02, "noise_rate_interval": [0.01, 0.03],
    "expected_precision": 0.8, "expected_precision_interval": [0.051, 0.95],
    "expected_recall": 0.5, "expected_recall_interval": [0.26, 1.0],
    "num_samples": 8, "num_flagged": 4, "num_sure": 2, "num_not_judged": 1, "fallbacks": [],
    "loss_histogram": {
        "edges": [0.0, 1.0, 2.0], "counts": [6, 2],
        "expected_counts": {"clean": [5.5, 0.5], "noisy": [0.5, 1.5]},
    },
    "per_class": [
        {"label": "cat", "num_samples": 4, "num_flagged": 1, "noise_rate_estimate": 0.25},
        {"label": "dog", "num_samples": 4, "num_flagged": 3, "noise_rate_estimate": None},
    ],
    "class_pairs": [{"given": "dog", "suggested": "cat", "count": 3}],
    "warnings": ["Something <odd>."],
    "something_of_a_later_version": {},
}  # fmt: skip
