"""From stored images to what a network takes (B batch, H rows, W columns, C channels)."""

from torch import Tensor


def to_input(image_BHWC: Tensor, mean_C: Tensor, std_C: Tensor) -> Tensor:
    """Return images of 0 to 255 as normalised float32 (B, C, H, W), laid out channels last."""
    # In place: a batch of images in float32 is the largest thing that augmentation makes.
    scaled_BHWC = (image_BHWC / 255.0).sub_(mean_C).div_(std_C)
    return scaled_BHWC.permute(0, 3, 1, 2)
