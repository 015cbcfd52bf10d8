"""Whatever the losses are: finite numbers, a named fallback, no exception out of EM."""

from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

import ml
from tests.ml.mixture.samples import two_groups

Mode = Literal["robust", "faithful"]
Kind = Literal["beta", "gaussian"]
MODES: tuple[Mode, ...] = ("robust", "faithful")
KINDS: tuple[Kind, ...] = ("beta", "gaussian")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", KINDS)
class TestDegenerateLosses:
    @pytest.mark.parametrize(
        ("losses", "fallback"),
        [
            ([], "too_few_samples"),
            ([0.3], "too_few_samples"),
            ([0.1, 2.0], "too_few_samples"),
            ([np.nan] * 50, "too_few_samples"),
            ([np.inf, -np.inf] * 50, "too_few_samples"),
            ([0.7] * 50, "constant_losses"),
            ([0.0] * 50, "constant_losses"),
            ([1e30] * 50, "constant_losses"),
        ],
    )
    def test_a_named_fallback_calls_everything_clean(
        self, losses: list[float], fallback: str, kind: Kind, mode: Mode
    ) -> None:
        mixture = ml.fit_mixture(np.array(losses), kind=kind, mode=mode)
        assert mixture.fallback == fallback
        assert mixture.weight == (1.0, 0.0)
        assert not mixture.posterior(np.array([0.0, 0.7, 100.0])).any()
        assert np.isfinite(mixture.density(np.array([0.1, 0.7]))).all()

    @pytest.mark.parametrize(
        "losses",
        [
            np.concatenate([np.full(30, 1e-20), np.full(30, 2e-20)]),
            np.concatenate([np.zeros(600), np.full(400, 3.0)]),
            np.concatenate([np.zeros(999), [5.0]]),
            np.linspace(0.0, 1e30, 50),
            np.array([0.0, 3e38] * 20),
            np.full(500, 2.302) + np.linspace(0.0, 1e-4, 500),
            np.random.default_rng(0).exponential(5.0, 1000),
            np.arange(50),
        ],
    )
    def test_extremes_give_finite_numbers(
        self, losses: NDArray[np.floating], kind: Kind, mode: Mode
    ) -> None:
        mixture = ml.fit_mixture(losses, kind=kind, mode=mode)
        posterior_N = mixture.posterior(losses)
        assert np.all((posterior_N >= 0.0) & (posterior_N <= 1.0))
        assert np.isfinite([*mixture.noise_rate_interval, mixture.log_likelihood]).all()
        assert np.isfinite(list(mixture.components().values())).all()
        assert np.isfinite(mixture.density(losses)).all()

    def test_arrays_of_more_dimensions_are_refused(self, kind: Kind, mode: Mode) -> None:
        with pytest.raises(ValueError, match="one-dimensional"):
            ml.fit_mixture(np.zeros((2, 2)), kind=kind, mode=mode)


class TestKindsOfArrays:
    LOSSES = np.concatenate(two_groups(1400, 600))

    @pytest.mark.parametrize("dtype", ["float16", "float32"])
    def test_precision_changes_little(self, dtype: str) -> None:
        mixture = ml.fit_mixture(self.LOSSES.astype(dtype))
        reference = ml.fit_mixture(self.LOSSES)
        assert mixture.noise_rate == pytest.approx(reference.noise_rate, abs=2e-3)

    def test_strides_and_lists_change_nothing(self) -> None:
        strided = np.stack([self.LOSSES, self.LOSSES], axis=1)[:, 0]
        assert ml.fit_mixture(strided) == ml.fit_mixture(self.LOSSES)
        assert ml.fit_mixture(self.LOSSES.tolist()) == ml.fit_mixture(self.LOSSES)

    def test_losses_that_are_not_finite_do_not_spoil_the_fit(self) -> None:
        spoiled = np.concatenate([self.LOSSES, [np.nan, np.inf, -np.inf]])
        for mode in MODES:
            assert ml.fit_mixture(spoiled, mode=mode) == ml.fit_mixture(self.LOSSES, mode=mode)

    def test_an_infinite_loss_is_noisy_and_nan_is_nan(self) -> None:
        mixture = ml.fit_mixture(self.LOSSES)
        assert mixture.posterior([np.inf])[0] > 0.99
        assert np.isnan(mixture.posterior([np.nan])[0])

    def test_all_wrong_is_one_group_too(self) -> None:
        _, noisy = two_groups(0, 3000)
        mixture = ml.fit_mixture(noisy)
        assert mixture.fallback == "one_component"


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="known: beta, gaussian"):
        ml.fit_mixture([0.0], kind="cauchy")  # type: ignore[arg-type]  # the point of the test
    with pytest.raises(ValueError, match="known: robust, faithful"):
        ml.fit_mixture([0.0], mode="quick")  # type: ignore[arg-type]  # the point of the test
