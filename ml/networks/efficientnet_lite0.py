"""EfficientNet-Lite0 (Tan and Le 2019, without squeeze-and-excitation, with ReLU6)."""

from itertools import pairwise
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from ml.networks.pooling import GlobalMean

STEM_WIDTH, HEAD_WIDTH = 32, 1280
EPSILON = 1e-3
"""Of the batch normalisation; the published weights were trained with it."""


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
