"""How far labels are believed, and towards what they are corrected."""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

import ml
from ml.device import autocast
from ml.training.data import make_source
from ml.training.losses import step_loss
from ml.training.methods import get_method
from ml.training.step import EpochInput, LabelWeights, Learner, batch_loss
from tests.ml.support import colour_images, run_training

TINY = ml.TrainConfig(epochs=2, width=4, batch_size=16, learning_rate=0.05, schedule="paper")
UNSHIFTED = ml.TrainConfig(epochs=2, width=4, batch_size=8, learning_rate=0.05, max_shift=0.0)
METHOD = replace(get_method("st-h"), static_weight=1.0)
INDEX = np.arange(8)
DEVICE = torch.device("cpu")


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


def _loss(
    state: ml.TrainState, predictions_NC: Tensor, on_average: Callable[..., None] = lambda *_: None
) -> tuple[float, Tensor, Tensor]:
    """Return the loss of a batch, its logits, and what the averaged network says of it."""
    image_NHWC, label_N = colour_images(40)
    source = make_source(image_NHWC, state.data, state.config, DEVICE)
    learner = Learner.restore(state, DEVICE)
    learner.network.eval()  # the same logits at every call
    given = EpochInput(
        config=state.config,
        method=METHOD,
        epoch=2,
        temperature=1.0,
        source=source,
        labels=torch.from_numpy(label_N),
        weights=LabelWeights.of(state, torch.zeros(40, dtype=torch.bool)),
        predictions=predictions_NC,
        slice_size=None,
    )
    hook = learner.average.network.register_forward_hook(on_average)
    value = float(batch_loss(given, learner, 0, INDEX).detach())
    hook.remove()
    with torch.no_grad(), autocast(DEVICE):
        view_B = source.view(INDEX)
        return value, learner.network(view_B).float(), learner.average.network(view_B).float()


@pytest.mark.parametrize("targets", ["stored", "live"])
def test_the_target_is_what_the_option_says(targets: Literal["stored", "live"]) -> None:
    image_NHWC, label_N = colour_images(40)
    state = run_training(image_NHWC, label_N, replace(UNSHIFTED, targets=targets))[-1]
    predictions_NC = torch.randn(40, 3, generator=torch.Generator().manual_seed(0)) * 9.0
    passes: list[str] = []
    value, logits_BC, own_BC = _loss(state, predictions_NC, lambda *_: passes.append("average"))

    def expected(target_BC: Tensor) -> float:
        label_B, perm_B = torch.from_numpy(label_N[INDEX]), torch.arange(len(INDEX))
        w_B = torch.zeros(len(INDEX))
        return float(step_loss(METHOD, logits_BC, target_BC, label_B, perm_B, w_B, 1.0, 1.0))

    stored, live = expected(predictions_NC[INDEX]), expected(own_BC)
    assert abs(stored - live) > 1e-3
    assert value == pytest.approx(stored if targets == "stored" else live, abs=1e-5)
    assert passes == ([] if targets == "stored" else ["average"])


def test_only_the_paper_asks_the_present_network() -> None:
    chosen = {preset: ml.make_config(preset).targets for preset in ml.PRESETS}
    assert chosen == {"quick": "stored", "standard": "stored", "paper": "live"}
