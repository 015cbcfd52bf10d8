"""From stored images to what a network takes: their size, their scale.

N samples, B batch, H rows, W columns, C channels.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ml.types import ImageArray

CHUNK = 1024


def resized(image_BHWC: Tensor, size: int) -> Tensor:
    """Return uint8 images as (B, C, size, size), float32 from 0 to 255, by bicubic interpolation.

    Smoothed first where they shrink.
    """
    image_BCHW = image_BHWC.permute(0, 3, 1, 2).float()
    resized_BCHW = functional.interpolate(
        image_BCHW, size=(size, size), mode="bicubic", antialias=True
    )
    return resized_BCHW.clamp(0.0, 255.0)


def resize_images(images_NHWC: ImageArray, *, out: ImageArray) -> None:
    """Write images at the size of `out`, (N, size, size, 3); both may be memory maps."""
    for begin in range(0, len(images_NHWC), CHUNK):
        rows = slice(begin, begin + CHUNK)
        chunk_BHWC = torch.from_numpy(np.ascontiguousarray(images_NHWC[rows]))
        resized_BCHW = resized(chunk_BHWC, out.shape[1]).round().to(torch.uint8)
        out[rows] = resized_BCHW.permute(0, 2, 3, 1).numpy()


def to_input(image_BHWC: Tensor, mean_C: Tensor, std_C: Tensor) -> Tensor:
    """Return images of 0 to 255 as normalised float32 (B, C, H, W), laid out channels last."""
    # In place: a batch of images in float32 is the largest thing that augmentation makes.
    scaled_BHWC = (image_BHWC / 255.0).sub_(mean_C).div_(std_C)
    return scaled_BHWC.permute(0, 3, 1, 2)
