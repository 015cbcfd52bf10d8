"""Non-finite losses: skipped steps, one roll-back, then the end."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

import ml
from ml.training import trainer as trainer_module
from ml.training.step import EpochInput, Learner, batch_loss
from ml.types import IntArray
from tests.ml.support import colour_images, run_training

TINY = ml.TrainConfig(epochs=3, width=4, batch_size=4, learning_rate=0.05)
StepTest = Callable[[EpochInput, int], bool]


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
    states = run_training(image_NHWC, label_N, TINY)
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
    states = run_training(image_NHWC, label_N, TINY)
    undisturbed = run_training(image_NHWC, label_N, replace(TINY, epochs=3))
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
        run_training(image_NHWC, label_N, TINY)


def test_a_rate_that_is_far_too_high_diverges_and_leaves_finite_states() -> None:
    image_NHWC, label_N = colour_images(80)
    states: list[ml.TrainState] = []
    with pytest.raises(ml.Diverged):
        ml.train(
            image_NHWC,
            label_N,
            num_classes=3,
            config=replace(TINY, learning_rate=1e6, epochs=6),
            device=torch.device("cpu"),
            on_epoch=lambda state, _: states.append(state),
            on_batch=lambda _: None,
        )
    for state in states:
        for name, tensor in state.to_tensors()[0].items():
            assert torch.isfinite(tensor.double()).all(), name


def test_a_roll_back_is_in_the_report() -> None:
    image_NHWC, label_N = colour_images(40)
    state = run_training(image_NHWC, label_N, replace(TINY, epochs=1))[-1]
    names = ["a", "b", "c"]
    findings = ml.score(state, label_N)
    calm = ml.build_report(state, findings, label_N, class_names=names)["warnings"]
    rolled = replace(state, rolled_back_in=1)
    warned = ml.build_report(rolled, findings, label_N, class_names=names)["warnings"]
    (new,) = (text for text in warned if text not in calm)
    assert new.startswith("The loss stopped being finite in epoch 1; training went on")
