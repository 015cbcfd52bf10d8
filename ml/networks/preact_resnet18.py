"""PreAct ResNet-18 as in the published code of the paper."""

from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from ml.networks.pooling import GlobalMean

STAGE_STRIDES = (1, 2, 2, 2)
BLOCKS_PER_STAGE = 2


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
