"""The faithful mode gives what the published recipe gives, to the digit."""

import numpy as np
import pytest

import ml
from tests.ml.mixture.samples import GOLDEN_CASES, few_far, recipe, two_groups
from tests.ml.support import golden


@pytest.mark.parametrize("case", GOLDEN_CASES)
class TestGoldenFits:
    def test_parameters(self, case: str) -> None:
        arrays = golden("golden_bmm.npz")
        mixture = ml.fit_mixture(arrays[f"{case}/loss"], mode="faithful")
        values = mixture.to_dict()
        for name in ("alpha", "beta", "weight"):
            np.testing.assert_allclose(values[name], arrays[f"{case}/{name}"], rtol=1e-6)
        span = values["normalisation"]
        assert np.float32(span["min_loss"]) == arrays[f"{case}/min_loss"]
        assert np.float32(span["max_loss"]) == arrays[f"{case}/max_loss"]

    def test_posterior_and_look_up(self, case: str) -> None:
        arrays = golden("golden_bmm.npz")
        mixture = ml.fit_mixture(arrays[f"{case}/loss"], mode="faithful")
        posterior = mixture.posterior_normalised(arrays[f"{case}/grid"])
        np.testing.assert_allclose(posterior, arrays[f"{case}/posterior"], atol=1e-6)
        lookup = mixture.lookup()
        np.testing.assert_allclose(lookup, arrays[f"{case}/lookup"], atol=1e-6)
        cell = np.floor(100.0 * mixture.normalise(arrays[f"{case}/loss"])).astype(int)
        np.testing.assert_allclose(
            lookup[cell].astype(np.float32), arrays[f"{case}/w_lookup"], rtol=1e-6
        )


@pytest.mark.parametrize("loss_N", [few_far()[0], np.concatenate(two_groups(600, 400))])
def test_the_recipe_restated_gives_the_same_parameters(loss_N: np.ndarray) -> None:
    values = ml.fit_mixture(loss_N, mode="faithful").to_dict()
    for name, expected in zip(("alpha", "beta", "weight"), recipe(loss_N), strict=True):
        np.testing.assert_allclose(values[name], expected, rtol=1e-6)


def test_the_look_up_holds_its_maximum_to_the_right() -> None:
    lookup = ml.fit_mixture(few_far()[0], mode="faithful").lookup()
    assert lookup.shape == (100,)
    assert np.all(lookup[np.argmax(lookup) :] == lookup.max())


def test_gaussians_are_those_of_scikit_learn() -> None:
    reference = pytest.importorskip("sklearn.mixture").GaussianMixture(n_components=2)
    loss_N = np.concatenate(two_groups(1500, 500))
    mixture = ml.fit_mixture(loss_N, kind="gaussian", mode="faithful")
    low, high = np.percentile(loss_N.astype(np.float32), [5, 95])
    kept = loss_N[(loss_N >= low) & (loss_N <= high)]
    reference.set_params(random_state=0).fit(mixture.normalise(kept)[:, None])
    order = np.argsort(reference.means_.ravel())
    values = mixture.to_dict()
    np.testing.assert_allclose(values["mean"], reference.means_.ravel()[order], rtol=0.02)
    np.testing.assert_allclose(values["variance"], reference.covariances_.ravel()[order], rtol=0.05)
    np.testing.assert_allclose(values["weight"], reference.weights_[order], rtol=0.02)
