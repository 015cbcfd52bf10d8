"""Weights of the labels: stored after the last epoch, or asked of the present network."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

import ml
from ml.training.step import LabelWeights
from tests.ml.support import colour_images, run_training

TINY = ml.TrainConfig(epochs=2, width=4, batch_size=16, learning_rate=0.05, schedule="paper")


@pytest.fixture(scope="module")
def state() -> ml.TrainState:
    image_NHWC, label_N = colour_images(64)
    trained = run_training(image_NHWC, label_N, TINY)[-1]
    rng = np.random.default_rng(0)
    loss_N = np.concatenate([rng.exponential(0.2, 40), 2.0 + rng.exponential(0.4, 24)])
    history = replace(
        trained.history,
        mean_loss=torch.from_numpy(loss_N).float(),
        last_loss=torch.from_numpy(loss_N[::-1].copy()).float(),
    )
    return replace(trained, history=history, mixture=ml.fit_mixture(loss_N))


def with_options(state: ml.TrainState, **options: str) -> ml.TrainState:
    return replace(state, config=replace(state.config, **options))  # type: ignore[arg-type]  # names of literals


def _none(state: ml.TrainState) -> torch.Tensor:
    return torch.zeros(state.data.num_samples, dtype=torch.bool)


def test_a_verified_label_is_never_noise(state: ml.TrainState) -> None:
    verified_N = _none(state)
    verified_N[60] = True
    index_B, label_B = torch.tensor([60, 61]), torch.tensor([0, 0])
    logits_BC = torch.tensor([[0.0, 9.0, 0.0], [0.0, 9.0, 0.0]])
    for weights in ("stored", "live"):
        chosen = with_options(state, weights=weights)
        w_B = LabelWeights.of(chosen, verified_N).of_batch(index_B, logits_BC, label_B)
        assert w_B[0] == 0.0
        assert w_B[1] > 0.5


def test_stored_weights_are_the_posterior_of_the_last_epoch(state: ml.TrainState) -> None:
    index_B = torch.tensor([5, 60, 0])
    logits_BC, label_B = torch.zeros(3, 3), torch.tensor([0, 1, 2])
    assert state.mixture is not None
    w_B = LabelWeights.of(state, _none(state)).of_batch(index_B, logits_BC, label_B)
    expected = state.mixture.posterior(state.history.mean_loss.numpy())[index_B.numpy()]
    np.testing.assert_allclose(w_B.numpy(), expected, atol=1e-6)
    assert w_B[0] < 0.5 < w_B[1]


def test_live_weights_are_the_posterior_of_the_present_loss(state: ml.TrainState) -> None:
    live = with_options(state, weights="live", mixture_losses="last")
    logits_BC = torch.tensor([[9.0, 0.0, 0.0], [9.0, 0.0, 0.0]])
    label_B = torch.tensor([0, 1])
    w_B = LabelWeights.of(live, _none(live)).of_batch(torch.tensor([0, 1]), logits_BC, label_B)
    loss_B = functional.cross_entropy(logits_BC, label_B, reduction="none")
    assert state.mixture is not None
    np.testing.assert_allclose(w_B.numpy(), state.mixture.posterior(loss_B.numpy()), atol=1e-6)
    assert w_B[0] < 0.5 < w_B[1]


def test_a_live_loss_enters_the_average_where_the_mixture_is_of_averages(
    state: ml.TrainState,
) -> None:
    live = with_options(state, weights="live")
    logits_BC = torch.tensor([[0.0, 9.0, 0.0]])
    w_B = LabelWeights.of(live, _none(live)).of_batch(
        torch.tensor([0]), logits_BC, torch.tensor([0])
    )
    blended = 2 / 3 * state.history.mean_loss[0] + 1 / 3 * 9.0002
    assert state.mixture is not None
    expected = state.mixture.posterior(np.array([float(blended)]))
    np.testing.assert_allclose(w_B.numpy(), expected, atol=1e-4)


def test_before_the_first_mixture_every_label_is_clean(state: ml.TrainState) -> None:
    fresh = with_options(replace(state, mixture=None), weights="live")
    w_B = LabelWeights.of(fresh, _none(fresh)).of_batch(
        torch.tensor([3]), torch.zeros(1, 3), torch.tensor([0])
    )
    assert w_B.tolist() == [0.0]


@pytest.mark.parametrize("method", ["dy-h", "m-dyr-h", "md-dyr-sh"])
def test_live_and_stored_weights_train_differently(method: str) -> None:
    image_NHWC, label_N = colour_images(64)
    rng = np.random.default_rng(0)
    label_N[:20] = rng.integers(0, 3, size=20)
    config = replace(TINY, method=method, epochs=8, mixture_mode="faithful")
    stored, live = (
        run_training(image_NHWC, label_N, replace(config, weights=weights))[-1]
        for weights in ("stored", "live")
    )
    assert not torch.equal(stored.network["7.weight"], live.network["7.weight"])
