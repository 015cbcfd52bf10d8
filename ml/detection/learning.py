"""Correction of the probabilities by reviewers' decisions, and which samples to decide first.

N samples, K points of the grid of corrections, G points of the grid of log odds, L looks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc, expit, log_expit, logit, ndtr

from ml.detection.verdict import UNKNOWN, Interval
from ml.types import BoolArray, FloatArray, IntArray

MEAN_OFFSET, MEAN_SLOPE = 0.0, 0.75
OFFSET_DEVIATION, SLOPE_DEVIATION = 1.0, 0.4
"""Gaussian prior of the correction logit p' = a + b logit p. The mean of a is 0, since an audit
errs in no known direction; the other three numbers are rounded from data sets whose true labels are
known (`benchmarks.detection.learning`)."""
INTERVAL_HOLDS = 0.99
"""Probability that an audit's own interval of the noise rate holds the truth: it did on 12 of 12
data sets and in .994 of 500 draws of small ones (docs/results)."""
MAX_EFFECTIVE = 60
"""Decisions count as no more than this number: two parameters are never exactly right, and more
certainty was wrong on data sets whose true labels are known (`benchmarks.detection.learning`)."""
MIN_P, MAX_P = 0.005, 0.99
"""Probabilities of an audit are clipped to this range; the lower end is `MIN_TOLD`."""
NUM_POINTS = 100
"""Of the grid of log odds: about ten to a unit."""
NUM_OFFSETS, NUM_SLOPES = 41, 31
GRID_DEVIATIONS = 3.0
"""The grid of corrections ends at so many standard deviations of the prior."""
MIN_SLOPE = 0.02
"""A correction never turns the order around."""
COVERAGE = 0.95
NUM_TAILS, NUM_LEVELS = 26, 501
"""Of the search for the shortest interval: shares of the probability below it, and counts."""
MIN_WEIGHT = 1e-6
"""Corrections less probable than this part of the most probable one do not change an interval."""
CHECK_EDGES = (0.1, 0.25, 0.5, 0.9)
"""Probabilities between which decisions are compared with what was expected (convention)."""
MIN_VARIANCE = 0.25
"""Ranges with less expected variance are not compared: they have too few decisions (convention)."""
GRID_ODDS: FloatArray = np.linspace(float(logit(MIN_P)), float(logit(MAX_P)), NUM_POINTS)
NUM_LOOKS = 200
"""L: the first thirty are asked for; the rest is for reviewers who go on."""
SPREAD_POWER = 2
"""Chance of a sample in the half of largest spread: as the variance over the hypotheses."""
GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0
"""Steps of this length, from any start, fill [0, 1) evenly (Kronecker's sequence)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WrongCount:
    """A number of wrong labels and its 95 % interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class CurvePoint:
    """Wrong labels that a review of the `num` next samples, worst first, finds and leaves."""

    num: int
    found: WrongCount
    left: WrongCount


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Correction:
    """The posterior of a correction of log odds, a + b logit p."""

    weight: FloatArray
    """Posterior probability of each correction, (K,)."""
    p_wrong: FloatArray
    """Corrected probability at each point of the grid of log odds, (K, G)."""
    num_wrong: int
    num_right: int
    """Decisions that were learned from."""

    def apply(self, p_N: FloatArray) -> FloatArray:
        """Return corrected probabilities; their order stays, NaN stays NaN."""
        return np.asarray(np.interp(_place(p_N), np.arange(NUM_POINTS), self.weight @ self.p_wrong))

    def count_wrong(self, p_M: FloatArray) -> WrongCount:
        """Return how many of M undecided labels are wrong, with the shortest 95 % interval.

        Given a correction the number is a sum of independent events, here a Gaussian of the same
        mean and variance; the interval is of the mixture of these over all corrections. As long as
        no decision found a wrong label there may be none.
        """
        return self._count(_histogram(p_M))

    def review_curve(self, p_left: FloatArray, nums: Sequence[int]) -> list[CurvePoint]:
        """Return wrong labels found and left for each number of samples; the last number is all.

        Args:
            p_left: An audit's probabilities of the samples that are left, shape (M,), without NaN.
            nums: Numbers of samples, rising.
        """
        left_G, total = _histogram(p_left), len(p_left)
        points = []
        for num in [*(num for num in nums if num < total), total]:
            from_top_G = np.cumsum(left_G[::-1])
            taken_G = np.clip(num - (from_top_G - left_G[::-1]), 0.0, left_G[::-1])[::-1]
            found, left = self._count(taken_G), self._count(left_G - taken_G)
            points.append(CurvePoint(num=num, found=found, left=left))
        return points

    def _count(self, num_G: FloatArray) -> WrongCount:
        used_K = self.weight > MIN_WEIGHT * self.weight.max()
        weight_U = self.weight[used_K] / self.weight[used_K].sum()
        mean_U = self.p_wrong[used_K] @ num_G
        deviation_U = np.sqrt((self.p_wrong * (1.0 - self.p_wrong))[used_K] @ num_G)
        low, high = _shortest_interval(weight_U, mean_U, deviation_U, float(num_G.sum()))
        return WrongCount(
            estimate=float(weight_U @ mean_U),
            low=low if self.num_wrong else 0.0,
            high=high,
        )


def recalibrate(
    p_mislabeled: FloatArray,
    is_wrong: BoolArray,
    is_decided: BoolArray,
    *,
    noise_rate_interval: Interval = UNKNOWN,
) -> Correction:
    """Learn from decided samples how often a label of each probability is wrong.

    The posterior of (a, b) in logit p' = a + b logit p (Platt, 1999) under a Gaussian prior, summed
    over a grid: equal decisions give equal results. The audit's interval of the noise rate is
    evidence, too: the prior is scaled so that the rate lies in the interval with the probability
    `INTERVAL_HOLDS`; decisions outweigh the interval where they contradict it. Reviewers may choose
    samples by p: given p, the choice is independent of the label.

    Args:
        p_mislabeled: An audit's probabilities of N labels of being wrong, shape (N,); NaN is not
            judged.
        is_wrong: Whether the label was found wrong, shape (N,); read where decided.
        is_decided: Which labels a reviewer has looked at, shape (N,).
        noise_rate_interval: What the audit stated, 0 to 1.

    Returns:
        The correction.

    Raises:
        ValueError: When the shapes differ, or a probability lies outside [0, 1].
    """
    p_N = np.asarray(p_mislabeled, dtype=np.float64)
    if not p_N.shape == np.shape(is_wrong) == np.shape(is_decided) or p_N.ndim != 1:
        raise ValueError("probabilities and decisions must be of the same samples")
    p_J, is_judged_N = p_N[~np.isnan(p_N)], ~np.isnan(p_N)
    if not ((p_J >= 0.0) & (p_J <= 1.0)).all():
        raise ValueError("probabilities must lie between 0 and 1")
    used_N = np.asarray(is_decided, dtype=np.bool_) & is_judged_N
    is_wrong_N = np.asarray(is_wrong, dtype=np.bool_)
    wrong_G, right_G = _histogram(p_N[used_N & is_wrong_N]), _histogram(p_N[used_N & ~is_wrong_N])
    odds_KG, log_prior_K = _grid()
    p_wrong_KG: FloatArray = expit(odds_KG)
    rate_K = p_wrong_KG @ (_histogram(p_J) / max(len(p_J), 1))
    share = min(1.0, MAX_EFFECTIVE / max(int(used_N.sum()), 1))
    log_weight_K = log_prior_K + _log_belief(log_prior_K, rate_K, noise_rate_interval)
    log_weight_K += share * (log_expit(odds_KG) @ wrong_G + log_expit(-odds_KG) @ right_G)
    weight_K = np.exp(log_weight_K - log_weight_K.max())
    return Correction(
        weight=weight_K / weight_K.sum(),
        p_wrong=p_wrong_KG,
        num_wrong=int(wrong_G.sum()),
        num_right=int(right_G.sum()),
    )


def predictive_check(correction: Correction, p_D: FloatArray, is_wrong_D: BoolArray) -> float:
    """Return how probable decisions are that differ as much from what was expected, 0 to 1.

    A posterior predictive check (Gelman, Meng and Stern, 1996): the wrong labels among the D
    decided ones, in ranges of the probability, by the chi-squared distance from their number that
    the correction expects. A small value means that no correction of this kind fits.
    """
    range_D = np.searchsorted(CHECK_EDGES, p_D)
    distance, num_compared = 0.0, 0
    for each in np.unique(range_D):
        inside_D = range_D == each
        num_G = _histogram(p_D[inside_D])
        mean_K = correction.p_wrong @ num_G
        spread_K = (correction.p_wrong * (1.0 - correction.p_wrong)) @ num_G
        expected = float(correction.weight @ mean_K)
        variance = float(correction.weight @ (spread_K + (mean_K - expected) ** 2))
        if variance >= MIN_VARIANCE:
            distance += (int(is_wrong_D[inside_D].sum()) - expected) ** 2 / variance
            num_compared += 1
    return float(chdtrc(num_compared, distance)) if num_compared else 1.0


def _grid() -> tuple[FloatArray, FloatArray]:
    """Return corrected log odds (K, G) and the log prior of the corrections (K,)."""
    z_A = np.linspace(-GRID_DEVIATIONS, GRID_DEVIATIONS, NUM_OFFSETS)
    z_B = np.linspace(-GRID_DEVIATIONS, GRID_DEVIATIONS, NUM_SLOPES)
    z_B = z_B[MEAN_SLOPE + SLOPE_DEVIATION * z_B > MIN_SLOPE]
    offset_K, slope_K = (each.ravel() for each in np.meshgrid(z_A, z_B, indexing="ij"))
    log_prior_K = -(offset_K**2 + slope_K**2) / 2.0
    odds_KG = (MEAN_OFFSET + OFFSET_DEVIATION * offset_K)[:, None] + (
        MEAN_SLOPE + SLOPE_DEVIATION * slope_K
    )[:, None] * GRID_ODDS
    return odds_KG, log_prior_K - np.log(np.exp(log_prior_K).sum())


def _log_belief(log_prior_K: FloatArray, rate_K: FloatArray, interval: Interval) -> FloatArray:
    """Return the logarithm of the factor of the prior, inside and outside an interval."""
    is_inside_K = (rate_K >= interval[0]) & (rate_K <= interval[1])
    inside = float(np.exp(log_prior_K[is_inside_K]).sum())
    if is_inside_K.all() or not is_inside_K.any():
        return np.zeros_like(rate_K)
    scales = np.log([INTERVAL_HOLDS / inside, (1.0 - INTERVAL_HOLDS) / (1.0 - inside)])
    return np.asarray(np.where(is_inside_K, scales[0], scales[1]))


def _shortest_interval(
    weight_U: FloatArray, mean_U: FloatArray, deviation_U: FloatArray, most: float
) -> Interval:
    """Return the shortest interval of `COVERAGE` of a mixture of Gaussians on [0, most]."""
    if most == 0.0:
        return 0.0, 0.0
    bottom = max(0.0, float((mean_U - 3.0 * deviation_U).min()))
    top = min(most, float((mean_U + 3.0 * deviation_U).max()))
    level_L = np.linspace(bottom, top, NUM_LEVELS)
    deviation_U = np.maximum(deviation_U, 1e-9 * most)
    below_L = weight_U @ ndtr((level_L - mean_U[:, None]) / deviation_U[:, None])
    tail_T = np.linspace(0.0, 1.0 - COVERAGE, NUM_TAILS)
    low_T = np.interp(tail_T, below_L, level_L)
    high_T = np.interp(tail_T + COVERAGE, below_L, level_L)
    best = int(np.argmin(high_T - low_T))
    return float(low_T[best]), float(high_T[best])


def _place(p_N: FloatArray) -> FloatArray:
    """Return where probabilities lie on the grid, from 0 to NUM_POINTS - 1; NaN stays NaN."""
    step = GRID_ODDS[1] - GRID_ODDS[0]
    return np.asarray((logit(np.clip(p_N, MIN_P, MAX_P)) - GRID_ODDS[0]) / step)


def _histogram(p_M: FloatArray) -> FloatArray:
    """Return how many probabilities lie nearest to each point of the grid, (G,)."""
    nearest_M = np.rint(_place(p_M)).astype(np.int64)
    return np.bincount(nearest_M, minlength=NUM_POINTS).astype(np.float64)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FirstLook:
    """Samples in the order of review."""

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
    """Return `num` different samples that are spread evenly over the ranking."""
    start, chosen = rng.random(), dict[int, None]()
    step = 0
    while len(chosen) < num:
        place = (start + step * GOLDEN) % 1.0
        chosen[int(place * len(ranked_M))] = None
        step += 1
    return ranked_M[np.fromiter(chosen, dtype=np.int64, count=num)]
