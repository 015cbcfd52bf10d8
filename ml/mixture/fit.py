"""Fit a mixture to losses, in the published way or in the robust way that is the default."""

from dataclasses import replace
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml.mixture.em import BetaPair, EmResult, Expectation, GaussianPair, run_em
from ml.mixture.model import BetaMixture, GaussianMixture, Mixture, Mode
from ml.mixture.points import (
    TOP_MARGIN,
    LossHistogram,
    MedianRatio,
    Normalisation,
    PublishedRange,
    binned,
    count_losses,
    weighted_median,
)
from ml.mixture.published import (
    fit_published_beta,
    fit_published_gaussian,
    published_range,
)
from ml.mixture.robust import (
    HALVES,
    fit_two_groups,
    is_disagreed_with,
    noise_rate_interval,
    shows_two_groups,
    single_group_log_likelihood,
)
from ml.types import FloatArray

Kind = Literal["beta", "gaussian"]

TOO_FEW = "too_few_samples"
CONSTANT = "constant_losses"
ONE_COMPONENT = "one_component"
DEGENERATE = "degenerate_fit"
MIN_SAMPLES = 10
MIN_SCALE = 1e-3
"""In nats. Differences between losses below this are rounding."""
MIN_SPREAD = 1e-6
DOUBTED = 0.05
"""Probability of two groups where one group explains the losses as well (convention). It is above 0
since the losses of labels that people got wrong overlap with those of right labels."""
CLEAN_ONLY = np.array([1.0, 0.0])
FLAT: dict[Kind, BetaPair | GaussianPair] = {
    "beta": BetaPair(np.ones(2), np.ones(2), HALVES),
    "gaussian": GaussianPair(HALVES, np.full(2, 1.0 / 12.0), HALVES),
}
"""The uniform distribution on (0, 1), or the Gaussian with its moments, twice."""
UNKNOWN = (0.0, 1.0)


def fit_mixture(losses: ArrayLike, *, kind: Kind = "beta", mode: Mode = "robust") -> Mixture:
    """Fit a two-component mixture to per-sample losses (paper, section 3.1).

    Args:
        losses: Losses of the given labels, shape (N,), in nats. Values that are not finite in
            float32 are left out of the fit, negative ones count as 0.
        kind: Family of the components.
        mode: `faithful` reproduces the published recipe: the 5th to 95th percentile, ten EM
            iterations on moments (for `gaussian`: plain EM on the same values). `robust` keeps
            every loss in the fit, maximises the likelihood, keeps the posterior monotone, and
            weighs two components by .05 where one explains the losses as well.

    Returns:
        The mixture; its `fallback` names what was done where no two-component fit was possible:
        `too_few_samples`, `constant_losses`, `one_component` or `degenerate_fit`.

    Raises:
        ValueError: On an unknown kind or mode, or losses that are not one-dimensional.
    """
    for name, value, known in (("kind", kind, get_args(Kind)), ("mode", mode, get_args(Mode))):
        if value not in known:
            raise ValueError(f"unknown mixture {name} {value!r}; known: {', '.join(known)}")
    loss_N = np.asarray(losses)
    if loss_N.ndim != 1:
        raise ValueError(f"losses must be one-dimensional, not of shape {loss_N.shape}")
    histogram = count_losses(loss_N)
    if histogram.counts.sum() < MIN_SAMPLES:
        return _undivided(histogram, kind, mode, fallback=TOO_FEW)
    if len(histogram.counts) == 1:
        return _undivided(histogram, kind, mode, fallback=CONSTANT)
    if mode == "faithful":
        return _fit_faithful(loss_N, histogram, kind)
    return _fit_robust(histogram, kind)


def _fit_faithful(loss_N: NDArray[np.floating], histogram: LossHistogram, kind: Kind) -> Mixture:
    span, points = published_range(loss_N)
    result = fit_published_beta(points) if kind == "beta" else fit_published_gaussian(points)
    if result is None:
        return _undivided(histogram, kind, "faithful", fallback=DEGENERATE)
    # Moments do not maximise the likelihood: its curvature is not the error of the moments.
    return _mixture(result, span, interval=UNKNOWN)


def _fit_robust(histogram: LossHistogram, kind: Kind) -> Mixture:
    scale = max(weighted_median(histogram), MIN_SCALE)
    loss_M, count_M = binned(histogram, scale)
    if loss_M[-1] <= loss_M[0] * (1.0 + MIN_SPREAD):
        return _undivided(histogram, kind, "robust", fallback=CONSTANT)
    gain = -single_group_log_likelihood(np.log(loss_M), count_M)
    max_loss = TOP_MARGIN * float(histogram.losses[-1])
    groups = fit_two_groups(loss_M, count_M, scale=scale, max_loss=max_loss)
    gain += groups.log_likelihood
    # The test for two groups uses the Beta fit for both kinds.
    best = groups.result.end
    is_noise = is_disagreed_with(np.log(loss_M), groups.points, best)
    is_divided = is_noise and shows_two_groups(groups.points, best, gain)
    result = groups.result
    if kind == "gaussian":
        mass_KM = result.end.responsibility * count_M
        result = run_em(groups.points, FLAT[kind].maximise(groups.points, mass_KM))
    result = result.ordered()
    low, high = noise_rate_interval(groups.points, result.end)
    if is_divided:
        return _mixture(result, groups.normalisation, interval=(low, high))
    return _mixture(
        result,
        groups.normalisation,
        interval=(0.0, high),
        fallback=ONE_COMPONENT,
        p_two_groups=DOUBTED,
    )


def _undivided(histogram: LossHistogram, kind: Kind, mode: Mode, *, fallback: str) -> Mixture:
    """Return the mixture that calls every sample clean, of losses that have no fit."""
    low, high = float(histogram.losses.min(initial=0.0)), float(histogram.losses.max(initial=1.0))
    normalisation: Normalisation = MedianRatio(scale=high)
    if mode == "faithful":
        normalisation = PublishedRange(min_loss=low, max_loss=high)
    flat = Expectation(replace(FLAT[kind], weight=CLEAN_ONLY), np.empty((2, 0)), 0.0)
    none = EmResult(flat, 0, converged=False)
    return _mixture(none, normalisation, interval=UNKNOWN, fallback=fallback)


def _mixture(
    result: EmResult,
    normalisation: Normalisation,
    *,
    interval: tuple[float, float],
    fallback: str | None = None,
    p_two_groups: float = 1.0,
) -> Mixture:
    pair = result.end.pair
    common: dict[str, Any] = {
        "weight": _floats(pair.weight),
        "normalisation": normalisation,
        "noise_rate": p_two_groups * float(pair.weight[1]),
        "p_two_groups": p_two_groups,
        "noise_rate_interval": interval,
        "converged": result.converged,
        "num_iterations": result.num_iterations,
        "log_likelihood": result.end.log_likelihood,
        "fallback": fallback,
        "mode": "faithful" if isinstance(normalisation, PublishedRange) else "robust",
    }
    if isinstance(pair, GaussianPair):
        return GaussianMixture(mean=_floats(pair.mean), variance=_floats(pair.variance), **common)
    shapes = cast("BetaPair", pair)
    return BetaMixture(alpha=_floats(shapes.alpha), beta=_floats(shapes.beta), **common)


def _floats(values: FloatArray) -> tuple[float, float]:
    return float(values[0]), float(values[1])
