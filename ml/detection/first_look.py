"""Which samples to look at first, so that decisions on them teach most (N samples, L looks)."""

from dataclasses import dataclass

import numpy as np

from ml.types import BoolArray, FloatArray, IntArray

NUM_LOOKS = 200
"""L: the first thirty are asked for; the rest is for reviewers who go on."""
SPREAD_POWER = 2
"""Chance of a sample in the half of largest spread: as the variance over the hypotheses."""
GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0
"""Steps of this length, from any start, fill [0, 1) evenly (Kronecker's sequence)."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FirstLook:
    """Samples in the order in which they are to be looked at."""

    index: IntArray
    """Their places, (L,), no sample twice."""
    by_chance: BoolArray
    """Which of them chance alone chose, (L,): every second one."""


def choose_first_look(
    p_mislabeled_N: FloatArray,
    spread_N: FloatArray,
    may_choose_N: BoolArray,
    rng: np.random.Generator,
    *,
    num: int = NUM_LOOKS,
) -> FirstLook:
    """Return samples by chance and samples on which the hypotheses differ, in turn.

    Decisions on samples that the model chose correct the probabilities fastest, those on samples
    that chance chose tell whether the correction holds for all. The chance half is spread evenly
    over the ranking: each of its samples is equally likely to be any, by itself. The others are
    drawn with chances as the variance of their p over the hypotheses, without replacement
    (Efraimidis and Spirakis, 2006).

    Args:
        p_mislabeled_N: Probabilities of being wrong; NaN is never chosen.
        spread_N: Standard deviation of p over the hypotheses.
        may_choose_N: Which samples may be chosen: those that nobody has verified.
        rng: Randomness.
        num: How many at most.
    """
    candidate_M = np.flatnonzero(may_choose_N & ~np.isnan(p_mislabeled_N))
    num = min(num, len(candidate_M))
    ranked_M = candidate_M[np.argsort(-p_mislabeled_N[candidate_M], kind="stable")]
    chance = _evenly(ranked_M, (num + 1) // 2, rng)
    others_M = np.setdiff1d(candidate_M, chance, assume_unique=True)
    weight_M = np.maximum(spread_N[others_M], 1e-6) ** SPREAD_POWER
    key_M = rng.exponential(size=len(others_M)) / weight_M
    spread = others_M[np.argsort(key_M, kind="stable")[: num // 2]]
    by_chance_L = np.arange(num) % 2 == 0
    index_L = np.empty(num, dtype=np.int64)
    index_L[by_chance_L], index_L[~by_chance_L] = chance, spread
    return FirstLook(index=index_L, by_chance=by_chance_L)


def _evenly(ranked_M: IntArray, num: int, rng: np.random.Generator) -> IntArray:
    """Return different samples whose places in the ranking fill it evenly, however many."""
    start, chosen = rng.random(), dict[int, None]()
    step = 0
    while len(chosen) < num:
        place = (start + step * GOLDEN) % 1.0
        chosen[int(place * len(ranked_M))] = None
        step += 1
    return ranked_M[np.fromiter(chosen, dtype=np.int64, count=num)]
