"""Wrong labels from predicted probabilities, without any training."""

import numpy as np
from numpy.typing import ArrayLike

from ml.detection.checks import check_features, check_given_label, check_pred_probs
from ml.detection.neighbours import find_neighbours
from ml.detection.sharpness import least_rate
from ml.detection.verdict import Detection, judge

MIN_PROBABILITY = 1e-8
"""What a probability of 0 is taken for; float16 ends at 6e-8."""


def detect(
    pred_probs: ArrayLike, given_label: ArrayLike, features: ArrayLike | None = None
) -> Detection:
    """Find wrong labels by predictions that a network made without having seen the sample's label.

    The predictions, freed from the noise that the network learnt (deconvolution with its typical
    predictions) and sharpened, are the prior of the true class; a noise matrix fitted by EM to the
    given labels turns them into the probability that a label is wrong (Dawid and Skene 1979;
    Patrini et al., CVPR 2017, section 3). No true label and no threshold to tune is involved.
    Samples may come in any order, classes be numbered in any way.

    Args:
        pred_probs: Probabilities of C classes for N samples, shape (N, C), rows sum to 1 within
            0.005. Best out of fold: a network that memorised the labels agrees with wrong ones.
        given_label: Labels to judge, shape (N,), integers in [0, C).
        features: Optional, shape (N, D): what the network sees in each sample. The labels of the
            30 nearest samples by cosine then count as much as the prediction. Costs N² D.

    Returns:
        The verdicts, in the order of the samples. Samples of a given label that fewer than 20
        samples have are not judged: NaN, never flagged.

    Raises:
        ValueError: When a shape, number, row or label is wrong; says which row and why.
    """
    prob_NC = check_pred_probs(pred_probs)
    num_samples, num_classes = prob_NC.shape
    label_N = check_given_label(given_label, shape=(num_samples, num_classes))
    log_prob_NC = np.log(np.maximum(prob_NC, MIN_PROBABILITY, out=prob_NC), out=prob_NC)
    share_NC, min_rate = None, 0.0
    if features is not None:
        feature_ND = check_features(features, num_samples=num_samples)
        share_NC = find_neighbours(feature_ND, label_N, num_classes=num_classes).share
        min_rate = least_rate(log_prob_NC, share_NC, label_N)
        log_prob_NC += np.log(share_NC)
    return judge(log_prob_NC, label_N, neighbour_share_NC=share_NC, min_rate=min_rate)
