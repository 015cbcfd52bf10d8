"""Towards what labels are corrected: predictions of earlier epochs, or the present network's."""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor

import ml
from ml.device import autocast
from ml.training.data import make_source
from ml.training.losses import step_loss
from ml.training.methods import get_method
from ml.training.step import EpochInput, LabelWeights, Learner, batch_loss
from tests.ml.support import colour_images, run_training

TINY = ml.TrainConfig(epochs=2, width=4, batch_size=8, learning_rate=0.05, max_shift=0.0)
METHOD = replace(get_method("st-h"), static_weight=1.0)
INDEX = np.arange(8)
DEVICE = torch.device("cpu")


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
    state = run_training(image_NHWC, label_N, replace(TINY, targets=targets))[-1]
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
