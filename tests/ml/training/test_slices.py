"""A batch in slices takes the step of the whole batch."""

import copy
import weakref
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from ml.training.losses import uniform_prior_penalty
from ml.training.memory import MIN_SLICE, forward_in_slices, pass_size, smaller_slice


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
