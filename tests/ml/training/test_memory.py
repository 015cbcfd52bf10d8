"""Memory that does not suffice: RELIABILITY test 29; a batch in slices takes the same step."""

import copy
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

import ml
from ml.training import step as step_module
from ml.training import trainer as trainer_module
from ml.training.checkpoint import network_of
from ml.training.losses import uniform_prior_penalty
from ml.training.memory import (
    MIN_SLICE,
    forward_in_slices,
    is_out_of_memory,
    pass_size,
    smaller_slice,
)
from tests.ml.support import colour_images, run_training, with_wrong_labels

CONFIG = ml.TrainConfig(epochs=3, width=4, batch_size=64, learning_rate=0.05)
Fail = Callable[[int], Exception]
ERRORS: dict[str, Fail] = {
    "cuda": lambda size: torch.OutOfMemoryError(f"CUDA out of memory for {size}"),
    "cpu": lambda size: RuntimeError(f"DefaultCPUAllocator: can't allocate memory for {size}"),
    "numpy": MemoryError,
}


@pytest.fixture
def limit_memory(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[int]]:
    """Make passes with gradients over more than so many samples fail; note sizes that fit."""

    def install(limit: int, fail: Fail = ERRORS["cuda"], *, after: int = 0) -> list[int]:
        sizes: list[int] = []

        def check(_network: nn.Module, inputs: tuple[Any, ...]) -> None:
            size = len(inputs[0])
            if not torch.is_grad_enabled():
                return
            if size > limit and len(sizes) >= after:
                raise fail(size)
            sizes.append(size)

        def limited(*arguments: Any) -> nn.Module:
            network = network_of(*arguments)
            network.register_forward_pre_hook(check)
            return network

        monkeypatch.setattr(step_module, "network_of", limited)
        return sizes

    return install


@pytest.mark.parametrize("kind", ERRORS)
def test_smaller_slices_finish_the_training_with_steps_of_the_same_batches(
    limit_memory: Callable[..., list[int]], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    batches: list[int] = []
    batch_loss = step_module.batch_loss

    def noted(given: Any, learner: Any, position: int, index_B: Any) -> torch.Tensor:
        batches.append(len(index_B))
        return batch_loss(given, learner, position, index_B)

    monkeypatch.setattr(trainer_module, "batch_loss", noted)
    image_NHWC, label_N = colour_images(256)
    sizes = limit_memory(32, ERRORS[kind])
    state = run_training(image_NHWC, label_N, CONFIG)[-1]
    assert (state.epochs_done, state.slice_size) == (3, 32)
    assert max(sizes) == 32
    assert batches == [64] * (1 + 3 * 4)  # the one that failed, and four steps an epoch
    assert [report.slice_size for report in state.reports] == [32] * 3


def test_the_way_down_ends_where_it_fits(limit_memory: Callable[..., list[int]]) -> None:
    image_NHWC, label_N = colour_images(256)
    limit_memory(10)
    assert run_training(image_NHWC, label_N, CONFIG)[-1].slice_size == 8


def test_an_error_at_the_smallest_slice_ends_the_run(
    limit_memory: Callable[..., list[int]],
) -> None:
    image_NHWC, label_N = colour_images(256)
    limit_memory(7)
    with pytest.raises(ml.NotEnoughMemory, match="8 samples at once"):
        run_training(image_NHWC, label_N, CONFIG)


def test_an_error_of_another_kind_is_no_reason_for_smaller_slices(
    limit_memory: Callable[..., list[int]],
) -> None:
    image_NHWC, label_N = colour_images(256)
    limit_memory(32, lambda _: RuntimeError("a bug"))
    with pytest.raises(RuntimeError, match="a bug"):
        run_training(image_NHWC, label_N, CONFIG)


def test_the_epoch_is_begun_anew_and_a_resumed_run_ends_alike(
    limit_memory: Callable[..., list[int]],
) -> None:
    image_NHWC, label_N = colour_images(256)
    limit_memory(32, after=6)  # in the middle of the second epoch
    states = run_training(image_NHWC, label_N, CONFIG)
    assert [state.slice_size for state in states] == [None, 32, 32]
    stored = ml.TrainState.from_tensors(*states[1].to_tensors())
    resumed = run_training(image_NHWC, label_N, CONFIG, state=stored)[-1]
    expected, found = (state.to_tensors()[0] for state in (states[-1], resumed))
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


def test_a_head_without_batch_normalisation_learns_the_same(
    limit_memory: Callable[..., list[int]],
) -> None:
    rng = np.random.default_rng(0)
    label_N = np.arange(256) % 3
    feature_NVD = rng.normal(size=(256, 1, 12)).astype(np.float16)
    feature_NVD[np.arange(256), 0, label_N] += np.float16(2.0)
    config = replace(
        CONFIG, architecture="efficientnet-lite0", pretrained="packaged", frozen=True,
        input_size=32, method="m-dyr-h",
    )  # fmt: skip
    whole = run_training(feature_NVD, label_N, config)[-1]
    limit_memory(16)
    sliced = run_training(feature_NVD, label_N, config)[-1]
    assert sliced.slice_size == 16
    for name, tensor in whole.average.items():
        torch.testing.assert_close(sliced.average[name], tensor, rtol=1e-3, atol=1e-5)


def test_a_network_with_batch_normalisation_still_finds_the_wrong_labels(
    limit_memory: Callable[..., list[int]],
) -> None:
    image_NHWC, true_N = colour_images(256)
    label_N = with_wrong_labels(true_N, num_wrong=40, num_classes=3)
    limit_memory(16)
    state = run_training(image_NHWC, label_N, replace(CONFIG, epochs=12))[-1]
    flagged_N = ml.score(state, label_N).flagged
    wrong_N = label_N != true_N
    assert (flagged_N & wrong_N).sum() >= 0.9 * wrong_N.sum()
    assert (flagged_N & ~wrong_N).sum() <= 0.1 * flagged_N.sum()


def test_the_report_tells_of_it(limit_memory: Callable[..., list[int]]) -> None:
    image_NHWC, label_N = colour_images(256)
    limit_memory(32, after=6)
    state = run_training(image_NHWC, label_N, CONFIG)[-1]
    report = ml.build_report(state, ml.score(state, label_N), label_N, class_names=["a", "b", "c"])
    assert "smaller_slices" in report["fallbacks"]
    [text] = [line for line in report["warnings"] if line.startswith("Memory did not suffice")]
    assert "from epoch 2 on" in text
    assert "at most 32 samples" in text


def test_which_errors_mean_memory() -> None:
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"))
    assert not is_out_of_memory(RuntimeError("shapes do not match"))
    assert not is_out_of_memory(OSError("Cannot allocate memory"))


def _head() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4))


def _convolution() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten())


def _draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def _gradients(network: nn.Module, input_B: Tensor, slice_size: int | None) -> list[Tensor]:
    logits_BC = forward_in_slices(network, input_B, slice_size)
    label_B = torch.arange(len(input_B)) % logits_BC.shape[1]
    value = functional.cross_entropy(logits_BC, label_B) + uniform_prior_penalty(logits_BC)
    torch.autograd.backward(value)
    return [parameter.grad for parameter in network.parameters() if parameter.grad is not None]


@pytest.mark.parametrize("slice_size", [1, 3, 8, 15])
def test_gradients_are_those_of_the_whole_batch_regulariser_included(slice_size: int) -> None:
    whole = _head()
    sliced = copy.deepcopy(whole)
    input_B = _draw(16, 6)
    for expected, found in zip(
        _gradients(whole, input_B, None), _gradients(sliced, input_B, slice_size), strict=True
    ):
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


def test_a_slice_size_of_a_whole_batch_changes_no_bit() -> None:
    whole = _convolution()
    same = copy.deepcopy(whole)
    input_B = _draw(16, 3, 6, 6)
    for expected, found in zip(
        _gradients(whole, input_B, None), _gradients(same, input_B, 16), strict=True
    ):
        assert torch.equal(found, expected)


def test_running_statistics_move_once_a_step_and_as_far_as_for_a_whole_batch() -> None:
    network = _convolution()
    layer: Any = network[1]
    part = _draw(4, 3, 6, 6)
    alike = torch.cat([part] * 4)  # each slice has the statistics of the batch
    reference = copy.deepcopy(network)
    forward_in_slices(reference, alike, None)
    _gradients(network, alike, 4)
    expected: Any = reference[1]
    torch.testing.assert_close(layer.running_mean, expected.running_mean)
    torch.testing.assert_close(layer.running_var, expected.running_var, rtol=0.01, atol=0.001)
    assert layer.momentum == expected.momentum


def test_activations_of_one_slice_at_a_time_are_kept() -> None:
    kept: list[weakref.ref[Tensor]] = []
    most = 0

    class Watched(nn.Module):
        @override
        def forward(self, input_B: Tensor) -> Tensor:
            nonlocal most
            activation = (input_B * 2.0).exp()
            kept.append(weakref.ref(activation))
            most = max(most, sum(ref() is not None for ref in kept))
            return activation.square()  # keeps the activation for the way back

    input_B = _draw(32, 6).requires_grad_()
    forward_in_slices(Watched(), input_B, 4).sum().backward()  # type: ignore[no-untyped-call] # torch's
    assert len(kept) == 16  # eight slices, each computed twice
    assert most <= 2


def test_sizes_halve_down_to_a_floor() -> None:
    sizes = [128]
    while (smaller := smaller_slice(sizes[-1])) is not None:
        sizes.append(smaller)
    assert sizes == [128, 64, 32, 16, MIN_SLICE]
    assert smaller_slice(MIN_SLICE + 1) == MIN_SLICE


def test_passes_without_gradients_shrink_with_the_slices() -> None:
    assert [pass_size(size, 256) for size in (None, 128, 64, 32, 8)] == [256, 256, 256, 128, 32]
