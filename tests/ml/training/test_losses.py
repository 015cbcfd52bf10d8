import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor

import ml
from ml import METHODS
from ml.training.augment import dynamic_share, mix_inputs
from ml.training.losses import uniform_prior_penalty
from tests.ml.support import golden


def tensors(num_classes: int) -> dict[str, Tensor]:
    arrays = golden("golden_losses.npz")
    prefix = f"C{num_classes}/"
    return {
        name.removeprefix(prefix): torch.from_numpy(np.asarray(array))
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


@pytest.mark.parametrize("num_classes", [10, 100])
class TestGoldenValues:
    @pytest.mark.parametrize("method", ["mixup", "m-dyr-h", "m-dyr-s", "md-dyr-sh"])
    def test_value_and_gradient_of_the_methods(self, method: str, num_classes: int) -> None:
        values = tensors(num_classes)
        logits = values["mixed_logits"].clone().requires_grad_()
        value = ml.loss(
            method,
            logits,
            values["plain_logits"],
            values["target"],
            values["perm"],
            values["w"],
            float(values["delta"]),
            float(values["temperature"]),
        )
        (gradient,) = torch.autograd.grad(value, logits)
        name = method.replace("-", "_")
        assert float(value.detach()) == pytest.approx(float(values[f"{name}/loss"]), abs=1e-10)
        torch.testing.assert_close(gradient, values[f"{name}/grad"], atol=1e-10, rtol=0.0)

    def test_dynamic_mixing_of_images(self, num_classes: int) -> None:
        values = tensors(num_classes)
        perm_B = values["dynamic_mix/perm"]
        share_B = dynamic_share(values["dynamic_mix/w"], perm_B)
        mixed_BCHW = mix_inputs(values["dynamic_mix/x"], perm_B, share_B)
        torch.testing.assert_close(mixed_BCHW, values["dynamic_mix/mixed"], atol=1e-10, rtol=0.0)

    def test_value_and_gradient_of_the_regulariser(self, num_classes: int) -> None:
        values = tensors(num_classes)
        logits = values["mixed_logits"].clone().requires_grad_()
        value = uniform_prior_penalty(logits)
        (gradient,) = torch.autograd.grad(value, logits)
        assert float(value.detach()) == pytest.approx(float(values["regularizer/loss"]), abs=1e-10)
        torch.testing.assert_close(gradient, values["regularizer/grad"], atol=1e-10, rtol=0.0)


def loss_of(method: str, logits: Tensor, *, w: float = 0.0, delta: float = 1.0) -> float:
    """Return the loss of two samples, given labels 0 and 1, the network sure of class 1."""
    sure_of_one = torch.tensor([[0.0, 9.0], [0.0, 9.0]], dtype=torch.float64)
    return float(
        ml.loss(
            method,
            logits,
            sure_of_one,
            torch.tensor([0, 1]),
            torch.tensor([1, 0]),
            torch.full((2,), w, dtype=torch.float64),
            delta,
            1.0,
        )
    )


class TestTargets:
    """Identities between the methods, for any batch."""

    @staticmethod
    def _batch(seed: int, num_classes: int) -> dict[str, Tensor]:
        rng = torch.Generator().manual_seed(seed)
        return {
            "mixed_logits": torch.randn(8, num_classes, generator=rng, dtype=torch.float64) * 3,
            "plain_logits": torch.randn(8, num_classes, generator=rng, dtype=torch.float64) * 3,
            "target": torch.randint(num_classes, (8,), generator=rng),
            "perm": torch.randperm(8, generator=rng),
            "w": torch.rand(8, generator=rng, dtype=torch.float64),
        }

    @given(seed=st.integers(0, 10_000), num_classes=st.integers(2, 12))
    def test_soft_to_hard_ends_as_hard(self, seed: int, num_classes: int) -> None:
        batch = self._batch(seed, num_classes)
        top = batch["plain_logits"].topk(2, dim=1).values
        assume(bool((top[:, 0] - top[:, 1] > 0.05).all()))  # no ties
        soft = ml.loss("md-dyr-sh", **batch, delta=0.5, temperature=1e-3)
        hard = ml.loss("md-dyr-h", **batch, delta=0.5, temperature=1.0)
        assert float(soft) == pytest.approx(float(hard), abs=1e-9)

    @given(seed=st.integers(0, 10_000), num_classes=st.integers(2, 12))
    def test_soft_to_hard_begins_as_soft(self, seed: int, num_classes: int) -> None:
        batch = self._batch(seed, num_classes)
        dynamic = ml.loss("md-dyr-sh", **batch, delta=0.1, temperature=1.0)
        static = ml.loss("m-dyr-s", **batch, delta=0.5, temperature=1.0)
        assert float(dynamic) == pytest.approx(float(static), abs=1e-12)

    @given(seed=st.integers(0, 10_000), w=st.floats(0.0, 1.0))
    def test_dynamic_mixing_of_equally_clean_labels_is_mixup_by_halves(
        self, seed: int, w: float
    ) -> None:
        batch = self._batch(seed, 5)
        w_B = torch.full((8,), w, dtype=torch.float64)
        static = ml.loss("m-dyr-h", **(batch | {"w": w_B}), delta=0.5, temperature=1.0)
        dynamic = ml.loss("md-dyr-h", **(batch | {"w": w_B}), delta=0.9, temperature=1.0)
        assert float(dynamic) == pytest.approx(float(static), abs=1e-12)
        image_BCHW = torch.randn(8, 3, 2, 2, dtype=torch.float64)
        mixed = mix_inputs(image_BCHW, batch["perm"], dynamic_share(w_B, batch["perm"]))
        torch.testing.assert_close(mixed, mix_inputs(image_BCHW, batch["perm"], 0.5))

    @given(seed=st.integers(0, 10_000))
    def test_clean_labels_leave_no_correction(self, seed: int) -> None:
        batch = self._batch(seed, 5) | {"w": torch.zeros(8, dtype=torch.float64)}
        plain = ml.loss("ce", **batch, delta=1.0, temperature=1.0)
        for method in ("dy-s", "dy-h", "dy-gmm"):
            value = ml.loss(method, **batch, delta=1.0, temperature=1.0)
            assert float(value) == pytest.approx(float(plain), abs=1e-12)

    @pytest.mark.parametrize(("method", "w"), [("st-h", 0.2), ("st-s", 0.05)])
    def test_static_bootstrapping_has_one_weight_for_all(self, method: str, w: float) -> None:
        batch = self._batch(0, 5)
        dynamic = {"st-h": "dy-h", "st-s": "dy-s"}[method]
        fixed = batch | {"w": torch.full((8,), w, dtype=torch.float64)}
        value = ml.loss(method, **batch, delta=1.0, temperature=1.0)
        expected = ml.loss(dynamic, **fixed, delta=1.0, temperature=1.0)
        assert float(value) == pytest.approx(float(expected), abs=1e-12)

    @pytest.mark.parametrize("method", METHODS)
    def test_targets_get_no_gradient(self, method: str) -> None:
        batch = self._batch(0, 5)
        for name in ("mixed_logits", "plain_logits"):
            batch[name].requires_grad_()
        torch.autograd.backward(ml.loss(method, **batch, delta=0.3, temperature=0.5))
        assert batch["plain_logits"].grad is None
        assert batch["mixed_logits"].grad is not None

    def test_a_correction_without_logits_of_plain_images_is_an_error(self) -> None:
        batch = self._batch(0, 5) | {"plain_logits": None}
        with pytest.raises(ValueError, match="logits of un-mixed images"):
            ml.loss("dy-h", **batch, delta=1.0, temperature=1.0)  # type: ignore[arg-type]  # the point of the test


class TestByHand:
    LOGITS = torch.log(torch.tensor([[0.8, 0.2], [0.4, 0.6]], dtype=torch.float64))

    def test_cross_entropy_is_the_mean_of_minus_log_probability(self) -> None:
        expected = -(np.log(0.8) + np.log(0.6)) / 2
        assert loss_of("ce", self.LOGITS, delta=0.3) == pytest.approx(expected, abs=1e-12)

    def test_mixup_weighs_both_labels_by_delta(self) -> None:
        own = -(np.log(0.8) + np.log(0.6)) / 2
        partner = -(np.log(0.2) + np.log(0.4)) / 2
        expected = 0.7 * own + 0.3 * partner
        assert loss_of("mixup", self.LOGITS, delta=0.7) == pytest.approx(expected, abs=1e-12)

    def test_a_surely_wrong_label_is_replaced_by_the_prediction(self) -> None:
        penalty = float(uniform_prior_penalty(self.LOGITS))
        expected = -(np.log(0.2) + np.log(0.6)) / 2 + penalty
        assert loss_of("m-dyr-h", self.LOGITS, w=1.0) == pytest.approx(expected, abs=1e-12)

    def test_the_regulariser_is_zero_for_a_balanced_batch_and_positive_otherwise(self) -> None:
        balanced = torch.tensor([[5.0, -5.0], [-5.0, 5.0]], dtype=torch.float64)
        collapsed = torch.tensor([[5.0, -5.0], [5.0, -5.0]], dtype=torch.float64)
        assert float(uniform_prior_penalty(balanced)) == pytest.approx(0.0, abs=1e-12)
        assert float(uniform_prior_penalty(collapsed)) > 1.0

    def test_extreme_logits_stay_finite(self) -> None:
        extreme = torch.tensor([[1e4, -1e4], [1e4, -1e4]], dtype=torch.float64)
        assert np.isfinite(loss_of("m-dyr-h", extreme, w=0.5, delta=0.5))

    def test_an_unknown_method_names_the_known_ones(self) -> None:
        with pytest.raises(ValueError, match="known: ce, mixup, st-s"):
            loss_of("magic", self.LOGITS)
