"""Which labels are worth a look, and which are surely wrong (N samples)."""

import numpy as np

from ml.types import BoolArray, FloatArray

MIN_YIELD = 0.25
"""Smallest probability worth a look: one of four such labels is wrong (convention, a setting)."""
SURE_ABOVE = 0.9
"""Probability from which a label counts as surely wrong, for decisions in bulk (convention)."""


def worth_a_look(p_mislabeled_N: FloatArray, min_yield: float = MIN_YIELD) -> BoolArray:
    """Return the set of greatest expected F1 among the samples of p >= `min_yield`.

    Of the k most probable, the expected number of wrong labels is the sum of their p, and their
    F1 is near 2 Σ_top p / (k + Σ_all p) (Lewis 1995; Lipton et al. 2014). Empty where no sample has
    `min_yield`.

    Args:
        p_mislabeled_N: Probabilities of being wrong; NaN is never worth a look.
        min_yield: Smallest probability that is.
    """
    p_N = np.nan_to_num(p_mislabeled_N)
    order_N = np.argsort(-p_N, kind="stable")
    falling_N = p_N[order_N]
    num_worthy = int((falling_N >= min_yield).sum())
    is_worth_N = np.zeros(len(p_N), dtype=np.bool_)
    if num_worthy:
        size_K = np.arange(1, num_worthy + 1)
        f1_K = 2.0 * np.cumsum(falling_N[:num_worthy]) / (size_K + falling_N.sum())
        is_worth_N[order_N[: int(f1_K.argmax()) + 1]] = True
    return is_worth_N


def surely_wrong(p_mislabeled_N: FloatArray) -> BoolArray:
    """Tell which labels are wrong with a probability above .9; NaN is not sure."""
    return np.asarray(np.nan_to_num(p_mislabeled_N) > SURE_ABOVE, dtype=np.bool_)
