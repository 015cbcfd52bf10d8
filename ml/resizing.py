"""Images at another size (N samples, H rows, W columns, C channels)."""

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
