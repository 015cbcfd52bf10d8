"""The loop: resumed bit for bit, rolled back where a loss is not finite, right on small sets."""

import json
import math
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import safetensors.torch
import torch
from sklearn.datasets import load_digits

import ml
from ml.noise import UniformOthersNoise, inject_noise
from ml.training import trainer as trainer_module
from ml.training.methods import METHODS
from ml.training.step import EpochInput, Learner, batch_loss
from ml.training.trainer import batch_indices
from ml.types import IntArray
from tests.ml.support import colour_images, run_training

TINY = ml.TrainConfig(epochs=4, width=4, batch_size=16, learning_rate=0.05)
DIVERGING = ml.TrainConfig(epochs=3, width=4, batch_size=4, learning_rate=0.05)
StepTest = Callable[[EpochInput, int], bool]
NUM_IMAGES = 900
EPOCHS = 20
"""Fewer leave a network that has not remembered much yet."""


def through_files(state: ml.TrainState) -> ml.TrainState:
    """Return the state after a round trip through the bytes of a checkpoint."""
    tensors, metadata = state.to_tensors()
    content = safetensors.torch.save(tensors)
    text = json.dumps(metadata, allow_nan=False)
    return ml.TrainState.from_tensors(safetensors.torch.load(content), json.loads(text))


class TestResume:
    @pytest.mark.parametrize("method", METHODS)
    def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(self, method: str) -> None:
        image_NHWC, label_N = colour_images(70)
        config = replace(TINY, method=method, schedule="paper")
        whole = run_training(image_NHWC, label_N, config)
        resumed = run_training(image_NHWC, label_N, config, state=through_files(whole[1]))
        assert [state.epochs_done for state in resumed] == [3, 4]
        expected, actual = whole[-1].to_tensors()[0], resumed[-1].to_tensors()[0]
        assert expected.keys() == actual.keys()
        for name, tensor in expected.items():
            assert tensor.dtype == actual[name].dtype
            assert torch.equal(tensor, actual[name]), name
        assert whole[-1].mixture == resumed[-1].mixture
        losses = [[report.train_loss for report in run[-1].reports] for run in (whole, resumed)]
        assert losses[0] == losses[1]

    def test_a_state_is_not_changed_by_later_epochs(self) -> None:
        image_NHWC, label_N = colour_images(40)
        states = run_training(image_NHWC, label_N, replace(TINY, epochs=2))
        first, second = (state.to_tensors()[0] for state in states)
        assert not torch.equal(first["network.0.0.weight"], second["network.0.0.weight"])
        assert not torch.equal(first["average.0.0.weight"], second["average.0.0.weight"])
        assert first["history.num_epochs"] == 1

    def test_a_state_of_other_options_is_refused(self) -> None:
        image_NHWC, label_N = colour_images(40)
        state = run_training(image_NHWC, label_N, replace(TINY, epochs=1))[0]
        with pytest.raises(ValueError, match="other data or other options"):
            run_training(image_NHWC, label_N, replace(TINY, seed=1), state=state)

    def test_a_state_of_another_format_is_refused(self) -> None:
        with pytest.raises(ValueError, match="format 4"):
            ml.TrainState.from_tensors({}, {"format": 0})

    @pytest.mark.parametrize("weights", ["stored", "live"])
    @pytest.mark.parametrize("after", [1, 2, 3, 4, 5])
    def test_it_can_go_on_after_any_epoch(
        self, after: int, weights: Literal["stored", "live"]
    ) -> None:
        image_NHWC, label_N = colour_images(70)
        config = replace(TINY, method="md-dyr-sh", schedule="paper", epochs=6, weights=weights)
        whole = run_training(image_NHWC, label_N, config)
        resumed = run_training(image_NHWC, label_N, config, state=through_files(whole[after - 1]))
        expected, actual = (ml.score(run[-1], label_N) for run in (whole, resumed))
        assert np.array_equal(expected.p_mislabeled, actual.p_mislabeled)


class TestRandomness:
    def test_the_seed_decides_the_run(self) -> None:
        image_NHWC, label_N = colour_images(40)
        config = replace(TINY, epochs=1)
        first, same = (run_training(image_NHWC, label_N, config)[-1] for _ in range(2))
        other = run_training(image_NHWC, label_N, replace(config, seed=1))[-1]
        assert torch.equal(first.network["7.weight"], same.network["7.weight"])
        assert not torch.equal(first.network["7.weight"], other.network["7.weight"])

    def test_where_the_images_lie_does_not_matter(self, tmp_path: Path) -> None:
        image_NHWC, label_N = colour_images(75)
        np.save(tmp_path / "images.npy", image_NHWC)
        mapped_NHWC = np.load(tmp_path / "images.npy", mmap_mode="r")
        scattered_NHWC = np.asfortranarray(image_NHWC)
        runs = [
            run_training(images, label_N, replace(TINY, epochs=2))[-1]
            for images in (image_NHWC, mapped_NHWC, scattered_NHWC)
        ]
        expected = ml.score(runs[0], label_N).p_mislabeled
        for run in runs[1:]:
            assert np.array_equal(ml.score(run, label_N).p_mislabeled, expected)

    def test_the_global_generators_are_left_alone(self) -> None:
        image_NHWC, label_N = colour_images(40)
        before = torch.random.get_rng_state()
        run_training(image_NHWC, label_N, replace(TINY, epochs=1))
        assert torch.equal(before, torch.random.get_rng_state())
        assert not torch.are_deterministic_algorithms_enabled()

    @pytest.mark.parametrize("num_samples", [3, 17, 31, 33, 1797])
    def test_an_epoch_visits_every_sample_once_in_batches_of_at_least_two(
        self, num_samples: int
    ) -> None:
        batches = batch_indices(TINY, 1, num_samples)
        assert sorted(np.concatenate(batches).tolist()) == list(range(num_samples))
        assert min(len(batch) for batch in batches) >= 2
        assert batches[0].tolist() != batch_indices(TINY, 4, num_samples)[0].tolist()


class TestProgress:
    def test_every_batch_of_the_epoch_is_counted_and_reports_are_json(self) -> None:
        image_NHWC, label_N = colour_images(300)
        seen: list[ml.BatchProgress] = []
        reports: list[ml.EpochReport] = []
        ml.train(
            image_NHWC,
            label_N,
            num_classes=3,
            config=replace(TINY, epochs=2),
            device=torch.device("cpu"),
            on_epoch=lambda _, report: reports.append(report),
            on_batch=seen.append,
        )
        per_epoch = seen[0].num_batches
        assert [(beat.epoch, beat.batch) for beat in seen] == [
            (epoch, batch) for epoch in (1, 2) for batch in range(1, per_epoch + 1)
        ]
        assert sum(reports[-1].loss_histogram.counts) == 300
        json.dumps([asdict(report) for report in reports], allow_nan=False)

    def test_an_exception_of_the_caller_stops_the_run(self) -> None:
        image_NHWC, label_N = colour_images(40)

        def stop(_: ml.BatchProgress) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            ml.train(
                image_NHWC,
                label_N,
                num_classes=3,
                config=TINY,
                device=torch.device("cpu"),
                on_epoch=lambda _state, _report: None,
                on_batch=stop,
            )


class TestInput:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"method": "magic"}, "known: ce, mixup, st-s"),
            ({"architecture": "magic"}, "known: resnet9"),
            ({"epochs": 0}, "epochs must be between 1 and 10000, not 0"),
            ({"learning_rate": float("nan")}, "learning_rate must be between"),
            ({"batch_size": 1}, "batch_size must be between"),
        ],
    )
    def test_wrong_options_are_explained(self, changes: dict[str, object], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            ml.TrainConfig(**changes)  # type: ignore[arg-type]  # the point of the test

    def test_unfit_data_are_explained(self) -> None:
        image_NHWC, label_N = colour_images(10)
        with pytest.raises(ValueError, match="one label for each"):
            run_training(image_NHWC, label_N[:-1], TINY)
        with pytest.raises(ValueError, match="between 0 and 2"):
            run_training(image_NHWC, label_N + 1, TINY)
        with pytest.raises(ValueError, match="at least two"):
            run_training(image_NHWC[:1], label_N[:1], TINY)
        with pytest.raises(ValueError, match="uint8"):
            run_training(image_NHWC.astype(np.float32), label_N, TINY)

    @pytest.mark.parametrize("epochs", [1, 2, 3])
    def test_any_number_of_epochs_trains(self, epochs: int) -> None:
        image_NHWC, label_N = colour_images(20, size=9)
        states = run_training(image_NHWC, label_N, replace(TINY, epochs=epochs))
        assert states[-1].epochs_done == epochs
        assert states[-1].history.last_loss.isfinite().all()

    def test_images_of_one_colour_train(self) -> None:
        _, label_N = colour_images(20)
        black_NHWC = np.zeros((20, 8, 8, 3), dtype=np.uint8)
        state = run_training(black_NHWC, label_N, replace(TINY, epochs=1))[-1]
        assert state.history.last_loss.isfinite().all()


class TestVerifiedLabels:
    def test_are_not_corrected_and_change_the_run(self) -> None:
        image_NHWC, label_N = colour_images(60)
        label_N[:12] = (label_N[:12] + 1) % 3
        config = replace(TINY, epochs=6, method="dy-h", schedule="paper", mixture_mode="faithful")
        marks_N = np.arange(60) < 12
        plain = run_training(image_NHWC, label_N, config)[-1]
        marked, again = (
            run_training(image_NHWC, label_N, config, verified_N=marks_N)[-1] for _ in range(2)
        )
        name = next(iter(plain.network))
        assert not torch.equal(plain.network[name], marked.network[name])
        assert torch.equal(marked.network[name], again.network[name])

    def test_need_a_mark_for_each_sample(self) -> None:
        image_NHWC, label_N = colour_images(40)
        with pytest.raises(ValueError, match="40 marks"):
            run_training(image_NHWC, label_N, TINY, verified_N=np.zeros(3, dtype=np.bool_))


@pytest.fixture
def break_steps(monkeypatch: pytest.MonkeyPatch) -> Callable[[StepTest], None]:
    """Give the losses of chosen steps no finite value."""

    def install(is_broken: StepTest) -> None:
        def broken_loss(
            given: EpochInput, learner: Learner, position: int, index_B: IntArray
        ) -> torch.Tensor:
            value = batch_loss(given, learner, position, index_B)
            return value * math.nan if is_broken(given, position) else value

        monkeypatch.setattr(trainer_module, "batch_loss", broken_loss)

    return install


def test_a_single_step_is_skipped(break_steps: Callable[[StepTest], None]) -> None:
    break_steps(lambda given, position: given.epoch == 2 and position == 3)
    image_NHWC, label_N = colour_images(80)
    states = run_training(image_NHWC, label_N, DIVERGING)
    assert [state.reports[-1].num_skipped_steps for state in states] == [0, 1, 0]
    assert states[-1].rolled_back_in is None
    assert all(math.isfinite(report.train_loss) for report in states[-1].reports)


def test_five_steps_in_a_row_roll_back_once_with_a_tenth_of_the_rate(
    break_steps: Callable[[StepTest], None],
) -> None:
    tries: list[int] = []

    def is_broken(given: EpochInput, position: int) -> bool:
        if given.epoch == 2 and position == 0:
            tries.append(1)
        return given.epoch == 2 and len(tries) == 1

    break_steps(is_broken)
    image_NHWC, label_N = colour_images(80)
    states = run_training(image_NHWC, label_N, DIVERGING)
    undisturbed = run_training(image_NHWC, label_N, replace(DIVERGING, epochs=3))
    assert [state.rolled_back_in for state in states] == [None, 2, 2]
    for k, share in ((0, 1.0), (1, 0.1), (2, 0.1)):
        rates = [run[k].reports[-1].learning_rate for run in (states, undisturbed)]
        assert rates[0] == pytest.approx(share * rates[1])
    for name, tensor in states[-1].to_tensors()[0].items():
        assert torch.isfinite(tensor.double()).all(), name


def test_a_second_loss_of_the_way_ends_the_run(break_steps: Callable[[StepTest], None]) -> None:
    break_steps(lambda given, _: given.epoch == 2)
    image_NHWC, label_N = colour_images(80)
    with pytest.raises(ml.Diverged, match="epoch 2"):
        run_training(image_NHWC, label_N, DIVERGING)


def test_a_rate_that_is_far_too_high_diverges_and_leaves_finite_states() -> None:
    image_NHWC, label_N = colour_images(80)
    states: list[ml.TrainState] = []
    with pytest.raises(ml.Diverged):
        ml.train(
            image_NHWC,
            label_N,
            num_classes=3,
            config=replace(DIVERGING, learning_rate=1e6, epochs=6),
            device=torch.device("cpu"),
            on_epoch=lambda state, _: states.append(state),
            on_batch=lambda _: None,
        )
    for state in states:
        for name, tensor in state.to_tensors()[0].items():
            assert torch.isfinite(tensor.double()).all(), name


def test_a_roll_back_is_in_the_report() -> None:
    image_NHWC, label_N = colour_images(40)
    state = run_training(image_NHWC, label_N, replace(DIVERGING, epochs=1))[-1]
    names = ["a", "b", "c"]
    findings = ml.score(state, label_N)
    calm = ml.build_report(state, findings, label_N, class_names=names)["warnings"]
    rolled = replace(state, rolled_back_in=1)
    warned = ml.build_report(rolled, findings, label_N, class_names=names)["warnings"]
    (new,) = (text for text in warned if text not in calm)
    assert new.startswith("The loss stopped being finite in epoch 1; training went on")


def test_flags_of_real_digits_are_right_and_nearly_all_and_say_so() -> None:
    digits = load_digits()
    intensity_NHW = np.rint(digits.images[:NUM_IMAGES] * (255 / 16)).astype(np.uint8)
    image_NHWC = np.repeat(intensity_NHW[..., None], 3, axis=3)
    true_N = digits.target[:NUM_IMAGES].astype(np.int64)
    noisy = inject_noise(true_N, UniformOthersNoise(0.2), np.random.default_rng(1), 10)
    config = ml.make_config("standard", epochs=EPOCHS, seed=0)
    state = run_training(image_NHWC, noisy.labels, config, num_classes=10)[-1]
    feature_ND = ml.trained_features(state, image_NHWC, device=torch.device("cpu"))

    findings = ml.score(state, noisy.labels, feature_ND)

    precision = noisy.is_wrong[findings.flagged].mean()
    recall = findings.flagged[noisy.is_wrong].mean()
    assert precision > 0.95
    assert recall > 0.95
    for (low, high), truth in (
        (findings.expected_precision_interval, precision),
        (findings.expected_recall_interval, recall),
        (findings.noise_rate_interval, noisy.is_wrong.mean()),
    ):
        assert low <= truth <= high
