"""Laws that hold for any losses."""

from typing import Literal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import ml
from ml.mixture.em import BetaPair, GaussianPair, em_step, expect, newton_step
from ml.mixture.points import ratio_points
from ml.types import FloatArray

LOSSES = arrays(np.float64, st.integers(0, 60), elements=st.floats(0.0, 50.0))
KINDS: st.SearchStrategy[Literal["beta", "gaussian"]] = st.sampled_from(("beta", "gaussian"))
MODES: st.SearchStrategy[Literal["robust", "faithful"]] = st.sampled_from(("robust", "faithful"))
SHAPES = st.floats(0.1, 50.0)


@st.composite
def mixed_losses(draw: st.DrawFn) -> FloatArray:
    """Return losses of two gamma distributed groups of any sizes and shapes."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    num_clean, num_noisy = draw(st.integers(10, 300)), draw(st.integers(0, 300))
    clean = rng.gamma(draw(SHAPES), draw(st.floats(0.01, 1.0)), num_clean)
    return np.concatenate([clean, rng.gamma(draw(SHAPES), draw(st.floats(0.1, 3.0)), num_noisy)])


@settings(max_examples=60, deadline=None)
@given(LOSSES, KINDS, MODES)
def test_any_losses_give_finite_probabilities(
    losses: FloatArray,
    kind: Literal["beta", "gaussian"],
    mode: Literal["robust", "faithful"],
) -> None:
    mixture = ml.fit_mixture(losses, kind=kind, mode=mode)
    posterior = mixture.posterior(losses)
    assert np.all((posterior >= 0.0) & (posterior <= 1.0))
    low, high = mixture.noise_rate_interval
    assert 0.0 <= low <= mixture.noise_rate <= high <= 1.0


@settings(max_examples=30, deadline=None)
@given(mixed_losses(), KINDS)
def test_the_robust_posterior_never_falls(
    losses: FloatArray, kind: Literal["beta", "gaussian"]
) -> None:
    mixture = ml.fit_mixture(losses, kind=kind)
    grid = np.concatenate([[0.0], np.geomspace(1e-6, 1e6, 500)])
    # Rounding of the logarithms of a clipped value is no fall.
    assert np.all(np.diff(mixture.posterior(grid)) >= -1e-12)


@settings(max_examples=30, deadline=None)
@given(mixed_losses(), KINDS)
def test_the_noisy_component_has_the_larger_mean(
    losses: FloatArray, kind: Literal["beta", "gaussian"]
) -> None:
    values = ml.fit_mixture(losses, kind=kind).components()
    if kind == "beta":
        alpha, beta = np.array(values["alpha"]), np.array(values["beta"])
        mean = alpha / (alpha + beta)
    else:
        mean = np.array(values["mean"])
    assert mean[0] <= mean[1]


@settings(max_examples=40, deadline=None)
@given(mixed_losses(), SHAPES, SHAPES, SHAPES, SHAPES, st.floats(0.01, 0.99))
def test_no_step_lowers_the_likelihood(
    losses: FloatArray, a0: float, a1: float, b0: float, b1: float, weight: float
) -> None:
    scale = max(float(np.median(losses)), 1e-3)
    points = ratio_points(np.clip(losses, 1e-3 * scale, None), np.ones_like(losses), scale)
    weights = np.array([1.0 - weight, weight])
    for pair in (
        BetaPair(np.array([a0, a1]), np.array([b0, b1]), weights),
        GaussianPair(np.array([0.2, 0.8]), np.array([a0, a1]) / 100.0, weights),
    ):
        now = expect(points, pair)
        for step in (em_step, em_step, newton_step, em_step):
            before, now = now, step(points, now)
            # Up to the rounding of a sum of logarithms.
            slack = 1e-9 * (1.0 + abs(before.log_likelihood))
            assert now.log_likelihood >= before.log_likelihood - slack


@settings(max_examples=15, deadline=None)
@given(mixed_losses(), st.integers(0, 2**32 - 1))
def test_the_order_of_the_losses_does_not_matter(losses: FloatArray, seed: int) -> None:
    shuffled = np.random.default_rng(seed).permutation(losses)
    assert ml.fit_mixture(shuffled) == ml.fit_mixture(losses)


@settings(max_examples=30, deadline=None)
@given(mixed_losses(), st.sampled_from((2.0, 16.0)))
def test_two_groups_stay_what_they_are_when_all_losses_grow(
    losses: FloatArray, factor: float
) -> None:
    """By powers of two, which keep the bins of the histogram."""
    mixture, scaled = ml.fit_mixture(losses), ml.fit_mixture(factor * losses)
    if mixture.fallback is None:
        assert scaled.fallback is None
        np.testing.assert_allclose(
            scaled.posterior(factor * losses), mixture.posterior(losses), atol=1e-3
        )
