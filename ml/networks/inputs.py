"""From stored images to what a network takes (B batch, H rows, W columns, C channels)."""

import torch
from torch import Tensor


def to_input(image_BHWC: Tensor, mean_C: Tensor, std_C: Tensor) -> Tensor:
    """Return uint8 images as normalised float32 (B, C, H, W), laid out channels last."""
    scaled_BHWC = (image_BHWC.to(torch.float32) / 255.0 - mean_C) / std_C
    return scaled_BHWC.permute(0, 3, 1, 2)
