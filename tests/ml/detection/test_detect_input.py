from typing import Any

import numpy as np
import pytest

from ml.detection.detect import detect

GOOD = [[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]]
LABELS = [0, 1, 1]


@pytest.mark.parametrize(
    ("pred_probs", "reason"),
    [
        ([0.5, 0.5], r"shape \(samples, classes\).*\(2,\)"),
        (np.zeros((0, 2)), "at least one sample"),
        ([[1.0], [1.0], [1.0]], "two classes"),
        ([[0.9, 0.1], [0.2, float("nan")], [0.5, 0.5]], r"row 1 is not finite: \[0.2, nan\]"),
        ([[0.9, 0.1], [0.2, 0.8], [float("inf"), 0.5]], "row 2 is not finite"),
        ([[0.9, 0.1], [1.2, -0.2], [1.1, -0.1]], "row 1 has a negative probability.*2 such rows"),
        ([[0.9, 0.1], [0.2, 0.8], [0.5, 0.6]], r"row 2 sums to 1.1, 0.1 more than 1 \(1 such"),
        ([[0.9, 0.1], [0.2, 0.5], [0.5, 0.6]], r"row 1 sums to 0.7, 0.3 less than 1 \(2 such"),
        (np.array(GOOD, dtype=object), "real numbers, not of object"),
        ([[0.9, 0.1], [1.0], [0.5, 0.5]], "rectangular"),
        ([["a", "b"]] * 3, "real numbers"),
        (np.array(GOOD, dtype=complex), "real numbers"),
    ],
)
def test_wrong_probabilities_are_refused_with_row_and_reason(pred_probs: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^pred_probs.*{reason}"):
        detect(pred_probs, LABELS)


@pytest.mark.parametrize(
    ("given_label", "reason"),
    [
        ([0, 1], r"shape \(3,\).*not \(2,\)"),
        ([[0], [1], [1]], r"not \(3, 1\)"),
        ([0, 1, 2], "row 2 is 2, outside 0 to 1"),
        ([0, -1, 7], r"row 1 is -1, outside 0 to 1 \(2 such rows of 3\)"),
        ([0.0, 1.0, 1.0], "integers, not float64"),
        ([0, None, 1], "not of object"),
        (["cat", "dog", "dog"], "not of <U3"),
        ([True, False, True], "not of bool"),
    ],
)
def test_wrong_labels_are_refused_with_row_and_reason(given_label: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^given_label.*{reason}"):
        detect(GOOD, given_label)


@pytest.mark.parametrize(
    ("features", "reason"),
    [
        ([[1.0], [2.0]], r"\(3, dimensions\), not \(2, 1\)"),
        ([1.0, 2.0, 3.0], r"not \(3,\)"),
        (np.zeros((3, 0)), r"not \(3, 0\)"),
        ([[1.0], [float("nan")], [2.0]], "row 1 is not finite"),
        ([[1.0], [2.0], [1e300]], r"row 2 is not finite: \[1e\+300\]"),
    ],
)
def test_wrong_features_are_refused_with_row_and_reason(features: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^features.*{reason}"):
        detect(GOOD, LABELS, features)


def test_long_rows_are_cut_in_the_message() -> None:
    with pytest.raises(ValueError, match="…"):
        detect(np.full((1, 50), -1.0), [0])
