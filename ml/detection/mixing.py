"""How far predictions are unmixed: as far as the given labels ask for (N samples, C classes)."""

import numpy as np

from ml.detection.inversion import log_likelihood
from ml.detection.sharpness import SHARPNESSES
from ml.types import FloatArray, IntArray

RAW_SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Of the prediction as it is, beside the unmixed one."""
COMPARED_SHARPNESSES = SHARPNESSES[:7]
"""Up to 3.8: on none of the sets looked at were the given labels likeliest beyond."""
MAX_COMPARED = 50_000
"""Samples by which a share is chosen, evenly from all: more would not choose otherwise."""
NUM_ERRORS = 2.0
"""Standard errors by which a likelihood may be lower than the greatest and still count as equal."""


def unmixed_as_labels_ask(
    prob_NC: FloatArray,
    unmixed_NC: FloatArray,
    transition_CC: FloatArray,
    label_N: IntArray,
    *,
    prefer_raw: bool,
) -> FloatArray:
    """Return predictions of the true class, unmixed no further than the given labels ask for.

    A strong network predicts the noise it learnt, and has to be freed from it. A weak one predicts
    evenly because it is weak: to call that a mixture of classes makes classes impossible that it
    only thought improbable, and among the impossible nothing is ranked. Predictions are unmixed
    wholly unless the given labels are likelier with less of it: then of the shares that explain
    them as well as the best the largest is taken, as by the one-standard-error rule (Breiman et
    al., Classification and Regression Trees, 1984). Noise that was learnt perfectly explains the
    labels as well as no noise does, so that what unmixes wholly comes first; but not where noise
    lifts all other classes alike, so that it moves no ranks, and its rate is known without it.

    Args:
        prob_NC: Calibrated predictions of the given label.
        unmixed_NC: The same unmixed.
        transition_CC: Where the noise matrix is looked for from.
        label_N: Given labels.
        prefer_raw: Whether noise is even and clear images tell its rate.
    """
    rows = slice(None, None, -(-len(label_N) // MAX_COMPARED))
    compared = prob_NC[rows], unmixed_NC[rows]
    fits = [
        _best_fit(_mixed(*compared, share), transition_CC, label_N[rows]) for share in RAW_SHARES
    ]
    best_N = max(fits, key=np.mean)
    good = [n for n, fit_N in enumerate(fits) if _is_as_good(fit_N, best_N)]
    chosen = 0 if 0 in good and not prefer_raw else good[-1]
    return _mixed(prob_NC, unmixed_NC, RAW_SHARES[chosen])


def _mixed(prob_NC: FloatArray, unmixed_NC: FloatArray, share: float) -> FloatArray:
    return share * prob_NC + (1.0 - share) * unmixed_NC


def _best_fit(prior_NC: FloatArray, transition_CC: FloatArray, label_N: IntArray) -> FloatArray:
    """Return the log-likelihood of each given label, (N,), at the sharpness that fits best."""
    fits = (
        log_likelihood(prior_NC, transition_CC, label_N, sharpness=sharpness)
        for sharpness in COMPARED_SHARPNESSES.tolist()
    )
    return max(fits, key=np.mean)


def _is_as_good(fit_N: FloatArray, best_N: FloatArray) -> bool:
    """Tell whether a fit is worse by chance at most."""
    lost_N = best_N - fit_N
    return bool(lost_N.mean() <= NUM_ERRORS * lost_N.std() / np.sqrt(len(lost_N)))
