"""Each known defect of the published recipe: shown in the faithful mode, absent in the robust."""

import numpy as np
import pytest

import ml
from ml.mixture.em import BetaPair, em_step, expect
from ml.mixture.points import binned, count_losses, weighted_median
from ml.mixture.published import moments_step, published_range
from tests.ml.mixture.samples import CLEAN_SHAPES, GOLDEN_CASES, clean_losses, few_far, recipe
from tests.ml.support import golden


class TestLeftTail:
    def test_faithful_calls_the_easiest_samples_noisy(self) -> None:
        loss_N, _ = few_far()
        easiest, easy = ml.fit_mixture(loss_N, mode="faithful").posterior([0.0, 0.3])
        assert easiest > 0.5 > easy

    def test_robust_calls_them_clean(self) -> None:
        loss_N, _ = few_far()
        posterior = ml.fit_mixture(loss_N).posterior([0.0, 0.3])
        assert posterior[0] <= posterior[1] < 0.05

    @pytest.mark.parametrize("kind", ["beta", "gaussian"])
    @pytest.mark.parametrize("case", GOLDEN_CASES)
    def test_the_robust_posterior_never_falls(self, case: str, kind: str) -> None:
        loss_N = golden("golden_bmm.npz")[f"{case}/loss"]
        mixture = ml.fit_mixture(loss_N, kind="beta" if kind == "beta" else "gaussian")
        posterior_M = mixture.posterior(np.linspace(0.0, 3.0 * float(loss_N.max()), 2000))
        assert np.all(np.diff(posterior_M) >= 0.0)


class TestOutliers:
    def test_faithful_drops_most_wrong_labels_from_the_fit(self) -> None:
        loss_N, is_noisy_N = few_far(4800, 200)
        mixture = ml.fit_mixture(loss_N, mode="faithful")
        top = mixture.to_dict()["normalisation"]["max_loss"]
        assert np.mean(loss_N[is_noisy_N] > top) > 0.9
        assert mixture.noise_rate > 3.0 * is_noisy_N.mean()

    def test_robust_keeps_them_and_knows_how_many_they_are(self) -> None:
        loss_N, is_noisy_N = few_far(4800, 200)
        mixture = ml.fit_mixture(loss_N)
        assert mixture.noise_rate == pytest.approx(is_noisy_N.mean(), abs=0.01)
        assert np.mean((mixture.posterior(loss_N) > 0.5) == is_noisy_N) > 0.99

    def test_one_absurd_loss_changes_nothing(self) -> None:
        loss_N, _ = few_far()
        without = ml.fit_mixture(loss_N)
        with_one = ml.fit_mixture(np.append(loss_N, 1e30))
        assert with_one.noise_rate == pytest.approx(without.noise_rate, abs=0.01)


class TestTwoComponentsAlways:
    @pytest.mark.parametrize("shape", CLEAN_SHAPES)
    def test_faithful_flags_clean_data(self, shape: str) -> None:
        loss_N = clean_losses(shape, 4000)
        posterior_N = ml.fit_mixture(loss_N, mode="faithful").posterior(loss_N)
        assert np.mean(posterior_N > 0.5) > 0.1

    @pytest.mark.parametrize("shape", CLEAN_SHAPES)
    @pytest.mark.parametrize("num_samples", [500, 4000, 50_000])
    def test_robust_finds_one_group_in_it(self, shape: str, num_samples: int) -> None:
        loss_N = clean_losses(shape, num_samples)
        mixture = ml.fit_mixture(loss_N)
        posterior_N = mixture.posterior(loss_N)
        assert np.mean(posterior_N > 0.5) <= 0.01
        assert posterior_N.max() > 0.0
        assert mixture.fallback == "one_component"
        assert mixture.noise_rate <= 0.05
        assert mixture.noise_rate_interval[0] == 0.0

    def test_losses_that_are_all_small_are_no_noise_however_they_are_grouped(self) -> None:
        """A network that has learned clean data: 0.0001 or 0.05 nats, and some hard samples."""
        rng = np.random.default_rng(0)
        groups = rng.lognormal(-9.0, 1.5, 2500), rng.lognormal(-3.5, 1.0, 2500)
        loss_N = np.concatenate(groups)
        assert np.mean(ml.fit_mixture(loss_N, mode="faithful").posterior(loss_N) > 0.5) > 0.05
        mixture = ml.fit_mixture(loss_N)
        assert mixture.fallback == "one_component"
        assert 0.0 < mixture.posterior(loss_N).max() <= 0.05
        # The same two groups, a hundred times as large, are two.
        assert ml.fit_mixture(100.0 * loss_N).fallback is None

    @pytest.mark.parametrize("rate", [0.05, 0.1, 0.2, 0.4, 0.6, 0.8])
    def test_robust_finds_two_groups_where_there_are_two(self, rate: float) -> None:
        rng = np.random.default_rng(int(100 * rate))
        is_noisy_N = rng.random(5000) < rate
        loss_N = np.where(is_noisy_N, rng.gamma(12.0, 0.3, 5000), rng.exponential(0.3, 5000))
        mixture = ml.fit_mixture(loss_N)
        assert mixture.fallback is None
        assert mixture.noise_rate == pytest.approx(is_noisy_N.mean(), abs=0.03)
        assert np.mean((mixture.posterior(loss_N) > 0.5) == is_noisy_N) > 0.95


class TestNaN:
    LOSSES = np.concatenate([np.full(970, 0.1), np.linspace(2.0, 4.0, 30)])

    def test_the_recipe_gives_nan_for_which_faithful_has_a_name(self) -> None:
        with np.errstate(all="ignore"):
            assert np.isnan(recipe(self.LOSSES)[0]).all()
        mixture = ml.fit_mixture(self.LOSSES, mode="faithful")
        assert mixture.fallback == "degenerate_fit"
        assert not mixture.posterior(self.LOSSES).any()

    def test_robust_fits_the_same_losses(self) -> None:
        mixture = ml.fit_mixture(self.LOSSES)
        assert mixture.fallback is None
        assert mixture.noise_rate == pytest.approx(0.03, abs=0.005)
        np.testing.assert_array_equal(mixture.posterior(self.LOSSES) > 0.5, self.LOSSES > 1.0)


class TestLikelihood:
    START = BetaPair(np.array([1.0, 2.0]), np.array([2.0, 1.0]), np.array([0.5, 0.5]))

    def test_the_published_step_lets_the_likelihood_fall(self) -> None:
        _, points = published_range(few_far()[0])
        pair, likelihoods = self.START, []
        for _ in range(10):
            pair = moments_step(points, pair)
            likelihoods.append(expect(points, pair).log_likelihood)
        assert np.min(np.diff(likelihoods)) < -1.0

    def test_ours_never_does(self) -> None:
        _, points = published_range(few_far()[0])
        now, likelihoods = expect(points, self.START), []
        for _ in range(30):
            now = em_step(points, now)
            likelihoods.append(now.log_likelihood)
        assert np.min(np.diff(likelihoods)) >= -1e-6

    def test_robust_says_that_it_converged(self) -> None:
        faithful, robust = (
            ml.fit_mixture(few_far()[0], mode="faithful"),
            ml.fit_mixture(few_far()[0], mode="robust"),
        )
        assert not faithful.converged
        assert robust.converged


def test_em_runs_on_a_histogram_whose_size_does_not_grow_with_the_samples() -> None:
    """The faithful recipe runs on all samples; `benchmarks.detection.mixture_speed` times it."""
    loss_N = few_far()[0]
    few, many = (count_losses(np.tile(loss_N, copies)) for copies in (1, 80))
    num_points = [
        len(binned(histogram, weighted_median(histogram))[0]) for histogram in (few, many)
    ]
    assert num_points[0] == num_points[1] < 1500
    assert many.counts.sum() == 80 * len(loss_N)


class TestGaussian:
    def test_faithful_falls_where_the_loss_rises(self) -> None:
        posterior = ml.fit_mixture(few_far()[0], kind="gaussian", mode="faithful").posterior(
            np.linspace(0.0, 1.0, 200)
        )
        assert np.diff(posterior).min() < 0.0

    def test_robust_does_not_and_has_the_same_interface(self) -> None:
        loss_N, is_noisy_N = few_far()
        mixture = ml.fit_mixture(loss_N, kind="gaussian")
        assert mixture.kind == "gaussian"
        assert np.all(np.diff(mixture.posterior(np.linspace(0.0, 9.0, 2000))) >= 0.0)
        assert mixture.noise_rate == pytest.approx(is_noisy_N.mean(), abs=0.04)
        low, high = mixture.noise_rate_interval
        assert 0.0 < low < mixture.noise_rate < high < 1.0

    def test_robust_finds_one_group_in_clean_data(self) -> None:
        mixture = ml.fit_mixture(clean_losses("exponential", 4000), kind="gaussian")
        assert mixture.fallback == "one_component"
        assert mixture.noise_rate <= 0.05
