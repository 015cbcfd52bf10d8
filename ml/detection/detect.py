"""Wrong labels from predicted probabilities, without any training."""

import numpy as np
from numpy.typing import ArrayLike

from ml.detection.checks import check_features, check_given_label, check_pred_probs
from ml.detection.neighbours import find_neighbours
from ml.detection.verdict import Detection, judge

MIN_PROBABILITY = 1e-8
"""What a probability of 0 is taken for; float16 ends at 6e-8."""


def detect(
    pred_probs: ArrayLike, given_label: ArrayLike, features: ArrayLike | None = None
) -> Detection:
    """Find wrong labels by predictions that a network made without having seen the sample's label.

    The probability that a label is wrong is the mean over hypotheses of how much doubt is the
    network's own (`ml.detection.hypotheses`). No true label is involved. Samples may come in any
    order, classes be numbered in any way.

    Args:
        pred_probs: Probabilities of C classes for N samples, shape (N, C), rows sum to 1 within
            0.005. Best out of fold: a network that memorised the labels agrees with wrong ones.
        given_label: Labels to judge, shape (N,), integers in [0, C).
        features: Optional, shape (N, D): what the network sees in each sample. The labels of the
            30 nearest samples by cosine then count as much as the prediction. Costs N² D.

    Returns:
        The verdicts, in the order of the samples. A sample whose given label no other has is not
        judged: NaN, never flagged.

    Raises:
        ValueError: When a shape, number, row or label is wrong; says which row and why.
    """
    prob_NC = check_pred_probs(pred_probs)
    num_samples, num_classes = prob_NC.shape
    label_N = check_given_label(given_label, shape=(num_samples, num_classes))
    log_prob_NC = np.log(np.maximum(prob_NC, MIN_PROBABILITY, out=prob_NC), out=prob_NC)
    if features is not None:
        feature_ND = check_features(features, num_samples=num_samples)
        log_prob_NC += np.log(find_neighbours(feature_ND, label_N, num_classes=num_classes).share)
    return judge(log_prob_NC, label_N)
