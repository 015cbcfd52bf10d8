"""Our own networks. Names of modules and weights are simple, so plain PyTorch can rebuild them."""

from itertools import pairwise
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

STAGE_STRIDES = (1, 2, 2, 2)
BLOCKS_PER_STAGE = 2
STEM_WIDTH, HEAD_WIDTH = 32, 1280
EPSILON = 1e-3
"""Of the batch normalisation; the published weights were trained with it."""


class GlobalMax(nn.Module):
    """Maximum over all positions: (B, C, H, W) to (B, C)."""

    @override
    def forward(self, x: Tensor) -> Tensor:
        return x.amax(dim=(2, 3))


class GlobalMean(nn.Module):
    """Mean over all positions: (B, C, H, W) to (B, C)."""

    @override
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=(2, 3))


class Residual(nn.Module):
    """Two convolutions around which the input is carried."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _conv_norm_relu(width, width)
        self.second = _conv_norm_relu(width, width)

    @override
    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(self.first(x))
        return x + y


def _conv_norm_relu(num_in: int, num_out: int, stride: int = 1) -> nn.Sequential:
    """Return a 3x3 convolution with batch normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv2d(num_in, num_out, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(num_out),
        nn.ReLU(),
    )


def resnet9(num_classes: int, width: int) -> nn.Sequential:
    """Return a nine-layer residual network for RGB images of about 8 to 64 pixels.

    It halves the resolution by strides, not by pooling after full-resolution convolutions: 2.3
    times the images per second of the usual ResNet-9 on two CPU cores. Width 32 has 0.6 million
    parameters.
    """
    return nn.Sequential(
        _conv_norm_relu(3, width),
        _conv_norm_relu(width, 2 * width, stride=2),
        Residual(2 * width),
        _conv_norm_relu(2 * width, 4 * width, stride=2),
        _conv_norm_relu(4 * width, 4 * width, stride=2),
        Residual(4 * width),
        GlobalMax(),
        nn.Linear(4 * width, num_classes),
    )


class PreActBlock(nn.Module):
    """Two convolutions, each after its normalisation and ReLU (He et al. 2016b).

    The shortcut carries the activated input, also where shapes agree. He et al. carry the input
    itself there; all figures of the paper come from this form.
    """

    def __init__(self, num_in: int, num_out: int, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(num_in)
        self.conv1 = _conv3x3(num_in, num_out, stride)
        self.norm2 = nn.BatchNorm2d(num_out)
        self.conv2 = _conv3x3(num_out, num_out)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or num_in != num_out:
            self.shortcut = nn.Conv2d(num_in, num_out, 1, stride=stride, bias=False)

    @override
    def forward(self, x: Tensor) -> Tensor:
        active = functional.relu(self.norm1(x))
        y: Tensor = self.conv2(functional.relu(self.norm2(self.conv1(active))))
        carried: Tensor = self.shortcut(active)
        return y + carried


def preact_resnet18(num_classes: int, width: int) -> nn.Sequential:
    """Return the network of the paper (section 4) for RGB images from 8 pixels on.

    Width 64 is the paper's: 11.17 million parameters for 10 classes. As published, the stem is
    normalised and activated, and neither happens after the last block. The 4x4 average pooling of
    32-pixel images is a mean over all positions, which takes any size.
    """
    stem = nn.Sequential(_conv3x3(3, width), nn.BatchNorm2d(width), nn.ReLU())
    blocks: list[nn.Module] = []
    num_in = width
    for stage, stride in enumerate(STAGE_STRIDES):
        num_out = width * 2**stage
        for block in range(BLOCKS_PER_STAGE):
            blocks.append(PreActBlock(num_in, num_out, stride if block == 0 else 1))
            num_in = num_out
    return nn.Sequential(stem, *blocks, GlobalMean(), nn.Linear(num_in, num_classes))


def _conv3x3(num_in: int, num_out: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(num_in, num_out, 3, stride=stride, padding=1, bias=False)


class Stage(NamedTuple):
    """Blocks of one width; the first has the stride."""

    num_blocks: int
    kernel: int
    stride: int
    expansion: int
    width: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


class SamePadded(nn.Conv2d):
    """A convolution that pads as TensorFlow's SAME: what is odd goes right and below."""

    @override
    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        top_bottom = _padding(height, self.kernel_size[0], self.stride[0])
        left_right = _padding(width, self.kernel_size[1], self.stride[1])
        return super().forward(functional.pad(x, (*left_right, *top_bottom)))


class InvertedResidual(nn.Module):
    """Widen, convolve each channel by itself, narrow; the input is carried where it fits."""

    def __init__(self, num_in: int, num_out: int, stage: Stage, stride: int) -> None:
        super().__init__()
        inner = num_in * stage.expansion
        widen = [_conv(num_in, inner, 1), nn.ReLU6()] if stage.expansion > 1 else []
        self.layers = nn.Sequential(
            *widen,
            _conv(inner, inner, stage.kernel, stride, groups=inner),
            nn.ReLU6(),
            _conv(inner, num_out, 1),
        )
        self.is_carried = stride == 1 and num_in == num_out

    @override
    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y if self.is_carried else y


def efficientnet_lite0(num_classes: int, *, stem_stride: int) -> nn.Sequential:
    """Return the network for RGB images; 4.65 million parameters for 1,000 classes.

    The published training drops units before the head and whole blocks; this network drops none,
    so that what it computes depends on no hidden random state.

    Args:
        num_classes: Number of classes, C.
        stem_stride: 2 as published, for a total stride of 32; 1 for small images.
    """
    blocks: list[nn.Module] = []
    widths = (STEM_WIDTH, *(stage.width for stage in STAGES))
    for (num_in, num_out), stage in zip(pairwise(widths), STAGES, strict=True):
        blocks.append(InvertedResidual(num_in, num_out, stage, stage.stride))
        blocks += [InvertedResidual(num_out, num_out, stage, 1) for _ in range(1, stage.num_blocks)]
    return nn.Sequential(
        _conv(3, STEM_WIDTH, 3, stem_stride),
        nn.ReLU6(),
        *blocks,
        _conv(STAGES[-1].width, HEAD_WIDTH, 1),
        nn.ReLU6(),
        GlobalMean(),
        nn.Linear(HEAD_WIDTH, num_classes),
    )


def _conv(
    num_in: int, num_out: int, kernel: int, stride: int = 1, *, groups: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        SamePadded(num_in, num_out, kernel, stride=stride, groups=groups, bias=False),
        nn.BatchNorm2d(num_out, eps=EPSILON),
    )


def _padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return the pixels before and after, so that ceil(size / stride) positions come out."""
    num_out = -(-size // stride)
    total = max((num_out - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2
