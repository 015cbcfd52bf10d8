from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from typing_extensions import override

import ml
from ml.training.data import ImageSource
from ml.training.passes import measure_batch_statistics
from tests.ml.support import colour_images, run_training, with_wrong_labels
from tests.support.tiny import plant_errors, tiny_images


def _source(num_samples: int) -> ImageSource:
    image_NHWC, _ = colour_images(num_samples)
    return ImageSource(
        images=image_NHWC, mean=torch.zeros(3), std=torch.ones(3), device=torch.device("cpu"),
        pad=0, flip=False, border="mirror",
    )  # fmt: skip


class TestMeasuredStatistics:
    def test_they_are_those_of_the_images(self) -> None:
        source = _source(300)
        layer = nn.BatchNorm2d(3, momentum=0.01)
        measure_batch_statistics(layer, source, np.random.default_rng(0))
        pixel = source.images / 255.0
        assert layer.running_mean is not None
        assert layer.running_var is not None
        assert layer.running_mean.numpy() == pytest.approx(pixel.mean(axis=(0, 1, 2)), rel=1e-3)
        assert layer.running_var.numpy() == pytest.approx(pixel.var(axis=(0, 1, 2)), rel=1e-2)
        assert layer.momentum == 0.01
        assert not layer.training

    def test_a_network_without_batch_normalisation_is_not_run(self) -> None:
        class Untouchable(nn.Module):
            @override
            def forward(self, _: torch.Tensor) -> torch.Tensor:
                raise AssertionError

        measure_batch_statistics(Untouchable(), _source(10), np.random.default_rng(0))


class TestAveragedNetwork:
    @pytest.mark.parametrize("seed", [0, 2])
    def test_its_losses_stay_small_in_a_training_of_few_steps(self, seed: int) -> None:
        image_NHWC, truth_N = tiny_images(240)
        given_N, _ = plant_errors(truth_N)
        config = ml.make_config("standard", seed=seed, epochs=15)
        states = run_training(image_NHWC, given_N, config)
        assert max(report.mean_tracking_loss for report in states[-1].reports) < 2.0

    def test_without_an_average_the_network_judges_as_it_is(self) -> None:
        image_NHWC, truth_N = colour_images(60)
        given_N = with_wrong_labels(truth_N, num_wrong=6, num_classes=3)
        config = ml.TrainConfig(epochs=2, width=4, batch_size=16, ema_decay=0.0)
        state = run_training(image_NHWC, given_N, replace(config, seed=2))[-1]
        assert state.network.keys() == state.average.keys()
        for name, tensor in state.network.items():
            assert torch.equal(tensor, state.average[name]), name
