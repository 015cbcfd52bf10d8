"""The few most probable classes of each sample (N samples, K candidates, L of them likely)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.types import FloatArray, IntArray

NUM_LIKELY = 6


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LikelyClasses:
    """Classes beside the suggested one, by falling probability; arrays of shape (N, L)."""

    label: NDArray[np.int32]
    probability: NDArray[np.float32]
    """0 to 1; of the same distribution as the suggestion's confidence."""


def likely_classes(
    label_NK: IntArray, prob_NK: FloatArray, suggested_N: IntArray, num: int = NUM_LIKELY
) -> LikelyClasses:
    """Return the most probable candidates other than the suggested one.

    Args:
        label_NK: Candidate classes.
        prob_NK: Their posterior probabilities.
        suggested_N: Which of the candidates is suggested, from 0 to K - 1.
        num: How many; where there are fewer other candidates, L is less.
    """
    other_NK = prob_NK.copy()
    other_NK[np.arange(len(other_NK)), suggested_N] = -1.0
    num_kept = min(num, label_NK.shape[1] - 1)
    place_NL = np.argsort(-other_NK, axis=1, kind="stable")[:, :num_kept]
    return LikelyClasses(
        label=np.take_along_axis(label_NK, place_NL, axis=1).astype(np.int32),
        probability=np.clip(np.take_along_axis(prob_NK, place_NL, axis=1), 0.0, 1.0).astype(
            np.float32
        ),
    )
