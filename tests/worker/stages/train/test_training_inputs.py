"""What a training reads is made once for a data set, and is whole or absent."""

from pathlib import Path

import numpy as np
import pytest
import torch

import ml
from worker.stages.train import resumable_array
from worker.stages.train.data import TrainingData
from worker.stages.train.inputs import prepare_inputs

CPU = torch.device("cpu")


def ignore(_num_done: int, _num_before: int) -> None:
    """Be told of progress."""


def _data(folder: Path, *, side: int = 8, num_samples: int = 6) -> TrainingData:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (num_samples, side, side, 3), dtype=np.uint8)
    cache, scratch = folder / "cache", folder / "scratch"
    cache.mkdir(parents=True)
    scratch.mkdir()
    none = np.zeros(num_samples, dtype=np.bool_)
    labels = np.arange(num_samples) % 2
    return TrainingData(
        images=images, labels=labels, given_labels=labels, classes=["a", "b"],
        is_train=np.arange(num_samples) % 3 != 0, is_verified=none, is_excluded=none, is_copy=none,
        picture=np.arange(num_samples),
        cache=cache, scratch=scratch,
    )  # fmt: skip


class TestImages:
    def test_a_trained_network_gets_large_images_smaller(self, tmp_path: Path) -> None:
        data = _data(tmp_path, side=100)
        inputs = prepare_inputs(data, ml.make_config("standard"), CPU, ignore)
        assert inputs.train.shape == (4, 64, 64, 3)
        assert inputs.test.shape == (2, 64, 64, 3)
        assert inputs.features is None
        assert [file.name for file in data.cache.iterdir()] == ["images-64.u8"]

    def test_small_ones_stay_as_they_are(self, tmp_path: Path) -> None:
        data = _data(tmp_path, side=8)
        inputs = prepare_inputs(data, ml.make_config("standard"), CPU, ignore)
        assert np.array_equal(inputs.train, data.images[data.is_train])
        assert list(data.cache.iterdir()) == []


class TestFeatures:
    def test_they_are_extracted_once_for_a_data_set(self, tmp_path: Path) -> None:
        data = _data(tmp_path)
        config = ml.make_config("quick", input_size=32)
        first = prepare_inputs(data, config, CPU, ignore)
        assert first.train.shape == (4, 2, 1280)
        assert first.features is not None
        assert first.features.shape == (4, 1280)

        def refuse(_done: int, _before: int) -> None:
            raise AssertionError

        again = prepare_inputs(data, config, CPU, refuse)
        assert np.array_equal(again.test, first.test)

    def test_an_interrupted_extraction_goes_on_with_the_same_features(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(resumable_array, "SHARD_ROWS", 16)
        data = _data(tmp_path, num_samples=40)
        config = ml.make_config("quick", input_size=32)
        seen: list[tuple[int, int]] = []

        def stop_after_two(num_done: int, num_before: int) -> None:
            seen.append((num_done, num_before))
            if len(seen) == 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            prepare_inputs(data, config, CPU, stop_after_two)
        resumed = prepare_inputs(data, config, CPU, lambda *now: seen.append(now))
        assert seen == [(16, 0), (32, 0), (40, 32)]
        assert [file.name for file in data.cache.iterdir()] == [
            "features-efficientnet-lite0-32.f16"
        ]
        at_once = _data(tmp_path / "b", num_samples=40)
        whole = prepare_inputs(at_once, config, CPU, ignore)
        assert np.array_equal(resumed.train, whole.train)
        assert np.array_equal(resumed.test, whole.test)
