"""Stems of networks that were designed for 224 pixels, adapted to small images."""

from typing import TypeAlias

from torch import nn

ImageSize: TypeAlias = tuple[int, int]
"""Height and width in pixels."""

SMALL_BELOW = 96
"""A total stride of 32 leaves images below this fewer than 3x3 positions."""


def is_small(image_size: ImageSize | None) -> bool:
    """Return whether stems keep the full resolution; None stands for images up to 64 pixels."""
    return image_size is None or min(image_size) < SMALL_BELOW


def keep_resolution(network: nn.Module) -> None:
    """Make the stem of a network reduce images less.

    A stem convolution of stride 2 loses its stride, and the max pooling right after it goes;
    kernels above 3x3 (ResNets, DenseNets, GoogLeNet) become 3x3 with fresh weights. Patches of 4x4
    (ConvNeXt, Swin) become 2x2. Any other stem stays: AlexNet's, VGG's, the large patches of ViT.
    """
    layers = [
        (name, module)
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.MaxPool2d)
    ]
    stem_name, stem = layers[0]
    if not isinstance(stem, nn.Conv2d):
        return
    if stem.kernel_size == stem.stride == (4, 4):
        network.set_submodule(stem_name, _fresh_like(stem, kernel=2, stride=2, padding=0))
    if stem.stride != (2, 2):
        return
    if max(stem.kernel_size) > 3:
        network.set_submodule(stem_name, _fresh_like(stem, kernel=3, stride=1, padding=1))
    stem.stride = (1, 1)
    next_name, following = layers[1]
    if isinstance(following, nn.MaxPool2d):
        network.set_submodule(next_name, nn.Identity())


def _fresh_like(stem: nn.Conv2d, *, kernel: int, stride: int, padding: int) -> nn.Conv2d:
    small = nn.Conv2d(stem.in_channels, stem.out_channels, kernel, stride=stride, padding=padding)
    nn.init.kaiming_normal_(small.weight, mode="fan_out", nonlinearity="relu")
    if stem.bias is None:
        small.register_parameter("bias", None)
    elif small.bias is not None:
        nn.init.zeros_(small.bias)
    return small
