"""How far ambiguous predictions may be taken for wrong labels (N samples, C classes, S values).

At a sharpness of 1 all ambiguity is the network's own. Where people erred on the very images that
are hard, it is mostly theirs. One prediction does not tell which; the labels of clear images do.
"""

from dataclasses import dataclass

import numpy as np

from ml.detection.unmixing import find_clear
from ml.types import FloatArray, IntArray

SHARPNESSES = np.geomspace(1.0, 6.0, 9)
NOISE_SHARES = (0.2, 0.35)
"""Where clear images disagree with their labels less than the first share of how often all images
do, the labels are taken for right and ambiguity for the network's own; from the second share on,
ambiguity may be noise."""
FAR_NOISE_SHARES = (0.05, 0.12)
"""The same for the noise that far labels of clear images show: either will do. Far is the less
likely half of the classes, where a weak network's errors on clear images hardly ever lie."""
EVEN_SHARES = (0.25, 0.35, 1.05, 1.15)
"""Between the middle two, clear images are wrong as often as all: noise does not ask how hard an
image is, and the rate among clear ones is the rate of all. Outside the outer two that is refuted:
labels are wrong on hard images mostly, or, by more than all disagreement, on clear ones."""
RATE_ERROR = 0.07
"""Relative error of the rate among clear images that is not their number's: the network errs on
some of them too."""
NUM_HIDDEN = 2.0
"""Errors that network and neighbours are taken to share, at most, for each sample on which they
disagree."""
MIN_RATE = 1e-6
TIE_BREAK = 1e-6
"""Less than any two shares of neighbours differ by."""
MIN_WEIGHT = 0.01
"""A sharpness that counts less does not count."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClearImages:
    """How often clear images disagree with their labels."""

    rate: float
    """Estimate of their noise rate, 0 to 1."""
    even_rate: float
    """The same, if noise is even, where that can be told better."""
    num_samples: int
    share: float
    """Of how often all images disagree; under noise that does not ask for the image, up to 1."""
    far_share: float
    """Of that, the noise that their far labels show, were it even."""


def least_rate(log_prob_NC: FloatArray, neighbour_share_NC: FloatArray, label_N: IntArray) -> float:
    """Return a noise rate that is likely reached: nearly the whole of it for strong networks.

    Labels that network and neighbours contradict alike are wrong, or both err. How often both err
    is not seen; how often one of them errs alone is, and both are taken to do so twice as often at
    most. Where the two hardly ever disagree, what they contradict is wrong, or lies on hard images,
    on which a long training made both err alike: `look_at_clear` says which.

    Args:
        log_prob_NC: What the network alone predicts.
        neighbour_share_NC: Shares of labels among the nearest other samples.
        label_N: Given labels.
    """
    predicted_N, by_others_N = log_prob_NC.argmax(axis=1), neighbour_share_NC.argmax(axis=1)
    agree_N = predicted_N == by_others_N
    contradicted = float((agree_N & (predicted_N != label_N)).mean())
    return max(0.0, contradicted - NUM_HIDDEN * float((~agree_N).mean()))


def look_at_clear(
    prob_NC: FloatArray,
    label_N: IntArray,
    neighbour_share_NC: FloatArray | None,
    *,
    saw_labels: bool = False,
    min_rate: float = 0.0,
) -> ClearImages:
    """Return how often the clearest images disagree with their labels.

    A network that saw the labels is surest where it agrees with them, so that its own clear images
    show a tenth too little noise. The neighbours of an image tell nothing of its own label, but
    choose less well, and show about a tenth too much: with both, the geometric mean is taken.
    Where the network that finds neighbours saw the labels, too, they also show too little, so that
    they alone are asked: its own clear images show a third too little after a long training.
    After a short one they show half too much. Even noise is then told by far labels, of all images:
    it hits them as often as other labels, and the network's errors hardly ever do. They show too
    much where a network has no idea of many images, too little where it remembers labels: no more
    than neighbours and no less than `min_rate` is believed.
    Surest in a small data set are those whose labels it remembers, and half the noise is not seen:
    `min_rate` is. Where clear images show none at all it counts for nothing, though, for then what
    network and neighbours contradict are hard images, on which they err alike.

    Args:
        prob_NC: Calibrated predictions.
        label_N: Given labels.
        neighbour_share_NC: Shares of labels among the nearest other samples.
        saw_labels: Whether these are found by the network that predicts, trained on the labels.
        min_rate: That of `least_rate`, where there are neighbours.
    """
    differs_N = prob_NC.argmax(axis=1) != label_N
    is_clear_N = find_clear(prob_NC)
    rate = far = own = float(differs_N[is_clear_N].mean())
    if neighbour_share_NC is not None:
        by_others_N = neighbour_share_NC.argmax(axis=1) != label_N
        by_others = float(by_others_N[find_clear(neighbour_share_NC)].mean())
        rate = far = by_others if saw_labels else float(np.sqrt(own * by_others))
        if saw_labels:
            # Most classes have no neighbour at all; which of them come first, predictions say.
            far = _even_noise(neighbour_share_NC + TIE_BREAK * prob_NC, label_N)
    differs = max(float(differs_N.mean()), MIN_RATE)
    share = own / differs
    far_share = _even_noise(prob_NC[is_clear_N], label_N[is_clear_N]) / differs
    sure = min_rate * _noise_seen(share, far_share)
    rate = max(rate, sure)
    return ClearImages(
        rate=rate,
        even_rate=far if sure <= far <= rate else rate,
        num_samples=int(is_clear_N.sum()),
        share=max(share, sure / differs),
        far_share=far_share,
    )


def _even_noise(score_NC: FloatArray, label_N: IntArray) -> float:
    """Return the even noise that leaves as many far labels as there are, 0 to 1.

    Far is the less likely half of the classes; of two classes the less likely one.
    """
    num_classes = score_NC.shape[1]
    num_far = num_classes // 2
    given_N1 = np.take_along_axis(score_NC, label_N[:, None], axis=1)
    is_far_N = (score_NC > given_N1).sum(axis=1) >= num_classes - num_far
    noise: float = float(is_far_N.mean()) * (num_classes - 1) / num_far
    return min(1.0, noise)


def max_sharpness(clear: ClearImages) -> float:
    """Return up to which sharpness ambiguity may be noise: 1 where clear images agree."""
    return 1.0 + float(SHARPNESSES[-1] - 1.0) * _noise_seen(clear.share, clear.far_share)


def tells_rate(clear: ClearImages) -> bool:
    """Tell whether the noise rate is that of clear images, and no other is possible."""
    return EVEN_SHARES[1] <= clear.share <= EVEN_SHARES[2]


def weigh(rate_S: FloatArray, clear: ClearImages, *, evenness: float = 0.0) -> FloatArray:
    """Return how much each sharpness counts, (S,), sum 1.

    Args:
        rate_S: The noise rate that follows from each.
        clear: What clear images say: the rate itself, so far as noise does not ask for the image.
        evenness: How far noise is taken for even, 0 to 1: then it does not, if there is any.
    """
    by_share = float(np.interp(clear.share, EVEN_SHARES, (0.0, 1.0, 1.0, 0.0)))
    believed = max(by_share, evenness * _noise_seen(clear.share, clear.far_share))
    either = np.log(np.maximum([clear.rate, clear.even_rate], MIN_RATE))
    rate = float(np.exp(np.interp(evenness, (0.0, 1.0), either)))
    variance = RATE_ERROR**2 + (1.0 - rate) / (rate * max(clear.num_samples, 1))
    log_weight_S = -(np.log(np.maximum(rate_S, MIN_RATE) / rate) ** 2) / (2.0 * variance)
    matched_S = np.exp(log_weight_S - log_weight_S.max())
    step = np.log(SHARPNESSES[1] / SHARPNESSES[0])
    possible_S = np.clip((np.log(max_sharpness(clear) / SHARPNESSES)) / step + 1.0, 0.0, 1.0)
    weight_S = believed * matched_S / matched_S.sum()
    weight_S += (1.0 - believed) * possible_S / possible_S.sum()
    weight_S[weight_S < MIN_WEIGHT] = 0.0
    return np.asarray(weight_S / weight_S.sum(), dtype=np.float64)


def _noise_seen(share: float, far_share: float) -> float:
    """Return how far clear images suggest that there is noise at all, 0 to 1."""
    by_any = np.interp(share, NOISE_SHARES, (0.0, 1.0))
    by_far = np.interp(far_share, FAR_NOISE_SHARES, (0.0, 1.0))
    return float(max(by_any, by_far))
