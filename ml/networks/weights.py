"""Weights from files, checked tensor by tensor before any of them is used."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

COUNTER = ".num_batches_tracked"
"""Statistics that older files lack and nothing here reads."""


def load_weights(network: nn.Module, source: Path) -> tuple[str, ...]:
    """Replace a network's weights by those of a safetensors file.

    Names and shapes must agree. Two tensors may differ and then keep their fresh values: a head
    with another number of classes, and a stem whose kernel was adapted to small images.

    Args:
        network: Where to; not changed unless all tensors fit.
        source: The file; weights of torchvision's networks have torchvision's names.

    Returns:
        Names of the tensors that were left fresh.

    Raises:
        ValueError: When the file cannot be read as safetensors, or a tensor is missing, unknown,
            of another shape or kind, or not finite. The message names the file and the tensor.
    """
    try:
        tensors = load_file(source)
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{source} is not a readable safetensors file: {error}") from error
    return assign_weights(network, tensors, origin=str(source))


def assign_weights(
    network: nn.Module, tensors: Mapping[str, Tensor], *, origin: str
) -> tuple[str, ...]:
    """Replace a network's weights by named tensors; rules, result and errors of `load_weights`."""
    own = network.state_dict()
    for name in own:
        if name not in tensors and not name.endswith(COUNTER):
            raise ValueError(f"{origin} lacks the tensor {name}")
    for name, tensor in tensors.items():
        if name not in own:
            raise ValueError(f"{origin} has a tensor {name} that the network lacks")
        _check_values(own[name], tensor, f"{origin}: tensor {name}")
    fresh = _may_stay_fresh(network, tensors)
    for name, tensor in tensors.items():
        if name not in fresh and tensor.shape != own[name].shape:
            shapes = f"{tuple(tensor.shape)} instead of {tuple(own[name].shape)}"
            raise ValueError(f"{origin}: tensor {name} has the shape {shapes}")
    taken = {name: tensor for name, tensor in tensors.items() if name not in fresh}
    network.load_state_dict(taken, strict=False)
    return fresh


def _check_values(own: Tensor, tensor: Tensor, what: str) -> None:
    both_float = tensor.is_floating_point() and own.is_floating_point()
    if tensor.dtype != own.dtype and not both_float:
        raise ValueError(f"{what} holds {tensor.dtype} instead of {own.dtype}")
    if not tensor.to(own.dtype).isfinite().all():
        raise ValueError(f"{what} has values that are not finite")


def _may_stay_fresh(network: nn.Module, tensors: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Return the names in the head and the stem whose tensors differ in the way they may."""
    convolutions = [
        name for name, module in network.named_modules() if isinstance(module, nn.Conv2d)
    ]
    layers = [
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    ]
    own = network.state_dict()
    stem, head = f"{convolutions[0]}.weight", f"{layers[-1]}.weight"
    fresh: list[str] = []
    if own[stem].shape != tensors[stem].shape and own[stem].shape[:2] == tensors[stem].shape[:2]:
        fresh.append(stem)
    if own[head].shape != tensors[head].shape and own[head].shape[1:] == tensors[head].shape[1:]:
        fresh += [name for name in (head, f"{layers[-1]}.bias") if name in own]
    return tuple(fresh)
