"""Features: the input of a network's last layer (N samples, D features)."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from ml.device import MEMORY_FORMAT, autocast, deterministic
from ml.networks import build_network, cut_head, resized, to_input
from ml.training.checkpoint import TrainState, load_pretrained, network_of
from ml.training.config import TrainConfig
from ml.training.data import ImageSource, expected_input, make_source
from ml.training.memory import pass_size
from ml.training.passes import TRACKING_BATCH
from ml.types import FeatureArray, ImageArray

NUM_VIEWS = 2
"""The image as it is, and mirrored."""
BATCH_SIZE, CPU_BATCH_SIZE = 64, 16
"""Images in a forward pass. On a CPU a layer's output for 64 images of 192 pixels exceeds 32 MiB,
up to which the C library reuses memory; beyond it every page faults anew."""
PRETRAINED_CLASSES = 1000


def num_features(config: TrainConfig) -> int:
    """Return D of a configuration's frozen network.

    Raises:
        ValueError: When there is no such network, or it has no head.
    """
    with torch.device("meta"):
        return cut_head(_network(config))[1]


def extract_features(
    images_NHWC: ImageArray,
    config: TrainConfig,
    *,
    device: torch.device,
    out: FeatureArray,
    on_batch: Callable[[int], None],
    start: int = 0,
) -> None:
    """Write the features of images, of each as it is and mirrored.

    Images of any size are brought to `config.input_size` by bicubic interpolation.

    Args:
        images_NHWC: RGB images, uint8, shape (N, H, W, 3); may be a memory map.
        config: Names the network, its weights and the size of its input.
        device: Where to compute.
        out: Where to, float16, shape (N, 2, D); may be a memory map.
        on_batch: Called with the number of images done; may raise to stop.
        start: First image to compute; the images before it are done.

    Raises:
        ValueError: When the weights cannot be loaded, or shapes do not fit.
    """
    if config.input_size is None or config.pretrained is None:
        raise ValueError("features need the weights and the input size of a frozen network")
    if out.shape[:2] != (len(images_NHWC), NUM_VIEWS):
        raise ValueError(f"features of {len(images_NHWC)} images do not fit into {out.shape}")
    network = _network(config)
    load_pretrained(network, config.pretrained)
    cut_head(network)
    network.to(device).to(memory_format=MEMORY_FORMAT).eval()
    mean_C, std_C = (
        torch.tensor(values, device=device) for values in expected_input(config.pretrained)
    )
    batch_size = CPU_BATCH_SIZE if device.type == "cpu" else BATCH_SIZE
    for begin in range(start, len(images_NHWC), batch_size):
        image_BHWC = np.ascontiguousarray(images_NHWC[begin : begin + batch_size])
        image_BCHW = resized(torch.from_numpy(image_BHWC).to(device), config.input_size)
        input_BCHW = to_input(image_BCHW.permute(0, 2, 3, 1), mean_C, std_C)
        rows = slice(begin, begin + len(image_BHWC))
        out[rows, 0] = _features(network, input_BCHW)
        out[rows, 1] = _features(network, input_BCHW.flip(3))
        on_batch(rows.stop)


def trained_features(
    state: TrainState, images_NHWC: ImageArray, *, device: torch.device
) -> FeatureArray:
    """Return the features of images by the averaged network of a training.

    The features are the mean over an image and its mirror image where the training mirrors.

    Args:
        state: A training of a whole network, usually after its last epoch.
        images_NHWC: The images it was trained on, uint8, shape (N, H, W, 3); may be a memory map.
        device: Where to compute.

    Returns:
        Features, float16, shape (N, D).

    Raises:
        ValueError: When only a head was trained: its features are what it was trained on.
    """
    if state.data.num_features is not None:
        raise ValueError("a head that was trained on features has none of its own")
    source = make_source(images_NHWC, state.data, state.config, device)
    mirrors = isinstance(source, ImageSource) and source.flip
    network = network_of(state, state.average, device).eval()
    _, num_features = cut_head(network)
    out_ND = np.empty((len(source), num_features), dtype=np.float16)
    batch_size = pass_size(state.slice_size, TRACKING_BATCH)
    views = range(NUM_VIEWS if mirrors else 1)
    with deterministic(device):
        for begin in range(0, len(source), batch_size):
            index_B = np.arange(begin, min(begin + batch_size, len(source)))
            seen = [_features(network, source.view(index_B, number)) for number in views]
            out_ND[index_B] = np.mean(seen, axis=0, dtype=np.float32)
    return out_ND


def _network(config: TrainConfig) -> nn.Module:
    size = config.input_size or 0
    return build_network(
        config.architecture, PRETRAINED_CLASSES, config.width, image_size=(size, size)
    )


def _features(network: nn.Module, input_BCHW: Tensor) -> FeatureArray:
    with torch.inference_mode(), autocast(input_BCHW.device):
        feature_BD: Tensor = network(input_BCHW)
    return feature_BD.float().cpu().numpy().astype(np.float16)
