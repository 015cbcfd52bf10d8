"""What the robust fit promises: recovery, density, histogram, interval, JSON."""

import json
import tracemalloc
from typing import cast

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import ml
from ml.mixture import mixture_from_dict
from ml.mixture.em import BetaPair
from ml.mixture.fit import Kind
from ml.mixture.model import Mode
from ml.mixture.points import TOP_MARGIN, count_losses, weighted_median
from ml.mixture.robust import fit_two_groups
from ml.types import FloatArray
from tests.ml.mixture.samples import (
    clean_losses,
    few_far,
    linear_model_draw,
    ratio_model_draw,
    two_groups,
)

KINDS: tuple[Kind, ...] = ("beta", "gaussian")
MODES: tuple[Mode, ...] = ("robust", "faithful")


class TestRecovery:
    @pytest.mark.parametrize(("num_clean", "num_noisy"), [(4750, 250), (3500, 1500), (500, 4500)])
    def test_finds_both_groups(self, num_clean: int, num_noisy: int) -> None:
        clean, noisy = two_groups(num_clean, num_noisy)
        mixture = ml.fit_mixture(np.concatenate([clean, noisy]))
        assert mixture.noise_rate == pytest.approx(num_noisy / 5000, abs=0.02)
        assert mixture.converged
        assert mixture.fallback is None
        assert np.mean(mixture.posterior(clean) < 0.5) > 0.97
        assert np.mean(mixture.posterior(noisy) > 0.5) > 0.95

    def test_the_noisy_component_has_the_larger_mean(self) -> None:
        values = ml.fit_mixture(np.concatenate(two_groups(500, 4500))).to_dict()
        alpha, beta = np.array(values["alpha"]), np.array(values["beta"])
        assert np.diff(alpha / (alpha + beta)) > 0.0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("losses", [few_far()[0], np.concatenate(two_groups(3500, 1500))])
class TestBothKinds:
    def test_the_density_is_per_nat(self, losses: FloatArray, kind: Kind, mode: Mode) -> None:
        mixture = ml.fit_mixture(losses, kind=kind, mode=mode)
        if mode == "robust":
            edges = np.concatenate([np.linspace(0.0, 12.0, 40_000), np.geomspace(12.0, 1e5, 4000)])
        else:
            span = mixture.to_dict()["normalisation"]
            edges = np.linspace(span["min_loss"], span["max_loss"], 40_000)
        centres = (edges[:-1] + edges[1:]) / 2.0
        total_K = mixture.density(centres) @ np.diff(edges)
        # Gaussians reach beyond the range that losses are mapped to.
        np.testing.assert_allclose(
            total_K, mixture.weight, atol=0.15 if kind == "gaussian" else 0.01
        )

    def test_goes_through_json_and_back_exactly(
        self, losses: FloatArray, kind: Kind, mode: Mode
    ) -> None:
        mixture = ml.fit_mixture(losses, kind=kind, mode=mode)
        assert mixture_from_dict(json.loads(json.dumps(mixture.to_dict()))) == mixture


class TestHistogram:
    @pytest.mark.parametrize(
        "losses", [few_far()[0], np.concatenate(two_groups(35_000, 15_000)).astype(np.float32)]
    )
    def test_parameters_are_those_of_the_exact_fit(self, losses: FloatArray) -> None:
        mixture = ml.fit_mixture(losses)
        histogram, loss_N = count_losses(losses), losses.astype(np.float64)
        exact = fit_two_groups(
            loss_N,
            np.ones_like(loss_N),
            scale=weighted_median(histogram),
            max_loss=TOP_MARGIN * float(histogram.losses[-1]),
        ).result.ordered()
        pair = cast("BetaPair", exact.end.pair)
        np.testing.assert_allclose(mixture.components()["alpha"], pair.alpha, rtol=1e-3)
        np.testing.assert_allclose(mixture.components()["beta"], pair.beta, rtol=1e-3)
        np.testing.assert_allclose(mixture.weight, pair.weight, rtol=1e-3)

    def test_memory_does_not_grow_with_the_losses(self) -> None:
        loss_N = np.tile(few_far()[0].astype(np.float32), 400)
        tracemalloc.start()
        ml.fit_mixture(loss_N)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 20e6


class TestNoiseRateInterval:
    @pytest.mark.slow
    def test_covers_the_truth_as_often_as_it_says(self) -> None:
        rng = np.random.default_rng(7)
        rates = np.where(np.arange(200) % 20 < 2, 0.0, rng.uniform(0.0, 0.6, 200))
        covered = []
        for number, rate in enumerate(rates):
            draw = linear_model_draw if number % 2 else ratio_model_draw
            low, high = ml.fit_mixture(draw(rng, rate, 2000)).noise_rate_interval
            covered.append(low <= rate <= high)
        assert np.mean(covered) >= 0.95

    def test_allows_for_samples_of_which_the_losses_do_not_tell_whose_they_are(self) -> None:
        """Two thirds of the noisy losses lie where the clean ones do."""
        rng = np.random.default_rng(3)
        is_noisy_N = rng.random(4000) < 0.45
        loss_N = np.where(is_noisy_N, rng.gamma(2.5, 0.9, 4000), rng.gamma(1.2, 0.8, 4000))
        low, high = ml.fit_mixture(loss_N).noise_rate_interval
        assert low <= 0.45 <= high

    def test_posteriors_of_overlapping_groups_are_never_all_zero(self) -> None:
        rng = np.random.default_rng(3)
        is_noisy_N = rng.random(4000) < 0.3
        loss_N = np.where(is_noisy_N, rng.gamma(3.0, 0.4, 4000), rng.gamma(1.5, 0.4, 4000))
        posterior_N = ml.fit_mixture(loss_N).posterior(loss_N)
        assert roc_auc_score(is_noisy_N, posterior_N) > 0.75
        assert posterior_N.max() > 0.0

    def test_gets_narrower_with_more_losses(self) -> None:
        few, many = (
            ml.fit_mixture(np.concatenate(two_groups(7 * n, 3 * n))).noise_rate_interval
            for n in (100, 10_000)
        )
        assert np.diff(many) < np.diff(few) / 2.0

    def test_of_clean_losses_begins_at_zero_and_is_not_everything(self) -> None:
        low, high = ml.fit_mixture(clean_losses("exponential", 4000)).noise_rate_interval
        assert low == 0.0
        assert 0.0 < high < 0.9
