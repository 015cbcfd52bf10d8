"""CIFAR-10 images among which other kinds of samples are planted; who is which is known.

Off-topic: garments, stripes, noise and tiled corners of photos, with labels at random. Copies:
exact, as JPEG, shifted, lighter, cropped; with the label of the original. Blends: the mean of two
images of different classes, with the label of one of them. Wrong labels: among the rest.
"""

from collections.abc import Callable
from io import BytesIO
from typing import NamedTuple

import numpy as np
from PIL import Image

from benchmarks.images import NUM_CLASSES, cifar10, fashion_mnist
from ml.noise import inject_noise, parse_noise
from ml.types import BoolArray, ImageArray, IntArray

_SIDE = 32
_JPEG_QUALITY = 50
_OFF_TOPIC_SHARE, _COPY_SHARE, _BLEND_SHARE = 0.04, 0.03, 0.03


class Planted(NamedTuple):
    """Images, their given labels and what they are."""

    images: ImageArray
    """(N, 32, 32, 3)."""
    given: IntArray
    """(N,)."""
    kinds: dict[str, BoolArray]
    """`off_topic`, `mislabeled`, `duplicate` (copies and their originals) and `ambiguous`, (N,)."""


def plant(num_images: int, noise: float, rng: np.random.Generator) -> Planted:
    """Return that many images of CIFAR-10, of `noise` with a wrong label, and what is planted."""
    photos = cifar10(num_images)
    noisy = inject_noise(
        photos.labels, parse_noise("uniform-others", noise), rng, num_classes=NUM_CLASSES
    )
    odd = _off_topic(photos.images, round(_OFF_TOPIC_SHARE * num_images), rng)
    original_M, copies = _copies(photos.images, round(_COPY_SHARE * num_images), rng)
    blends, blend_label_B = _blends(*photos, round(_BLEND_SHARE * num_images), rng)
    labels = (
        noisy.labels, rng.integers(NUM_CLASSES, size=len(odd)),
        noisy.labels[original_M], blend_label_B,
    )  # fmt: skip
    part = np.repeat(np.arange(4), [len(each) for each in labels])
    is_wrong = np.concatenate(
        [noisy.is_wrong, np.zeros(len(odd), bool), noisy.is_wrong[original_M], blend_label_B < 0]
    )
    kinds = {"off_topic": part == 1, "mislabeled": is_wrong, "ambiguous": part == 3}
    kinds["duplicate"] = part == 2
    kinds["duplicate"][original_M] = True
    return Planted(
        np.concatenate([photos.images, odd, copies, blends]), np.concatenate(labels), kinds
    )


def _off_topic(images: ImageArray, count: int, rng: np.random.Generator) -> ImageArray:
    """Return pictures of no class, of four sorts in turn."""
    garments = fashion_mnist(max(count, NUM_CLASSES)).images
    garments = garments[rng.permutation(len(garments))]
    makers: tuple[Callable[[int], ImageArray], ...] = (
        lambda number: np.pad(garments[number], ((2, 2), (2, 2), (0, 0))),
        lambda _: _stripes(rng),
        lambda _: rng.integers(256, size=(_SIDE, _SIDE, 3)).astype(np.uint8),
        lambda _: _tiles(images[rng.integers(len(images))], rng),
    )
    return np.stack([makers[number % len(makers)](number) for number in range(count)])


def _stripes(rng: np.random.Generator) -> ImageArray:
    """Return waves of one direction and colour."""
    row_HW, column_HW = np.mgrid[:_SIDE, :_SIDE]
    across, down = rng.normal(size=2)
    wave_HW = np.sin(across * row_HW + down * column_HW + rng.uniform(0.0, 2.0 * np.pi))
    colour_C = rng.uniform(40.0, 127.0, size=3)
    return np.asarray(128.0 + wave_HW[..., None] * colour_C, dtype=np.uint8)


def _tiles(image_HWC: ImageArray, rng: np.random.Generator) -> ImageArray:
    """Return a corner of 8 pixels again and again: a texture."""
    top, left = rng.choice([0, _SIDE - 8], size=2)
    return np.tile(image_HWC[top : top + 8, left : left + 8], (4, 4, 1))


def _copies(
    images: ImageArray, count: int, rng: np.random.Generator
) -> tuple[IntArray, ImageArray]:
    """Return rows and altered copies of them, each alteration in turn."""
    alter: tuple[Callable[[ImageArray], ImageArray], ...] = (
        lambda image: image,
        _as_jpeg,
        lambda image: np.pad(image, ((1, 0), (1, 0), (0, 0)), mode="edge")[:_SIDE, :_SIDE],
        lambda image: np.clip(image.astype(np.int64) + 25, 0, 255).astype(np.uint8),
        lambda image: np.asarray(Image.fromarray(image[2:-2, 2:-2]).resize((_SIDE, _SIDE))),
    )
    row_M = rng.permutation(len(images))[:count]
    altered = [alter[number % len(alter)](images[row]) for number, row in enumerate(row_M)]
    return row_M, np.stack(altered)


def _as_jpeg(image_HWC: ImageArray) -> ImageArray:
    buffer = BytesIO()
    Image.fromarray(image_HWC).save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return np.asarray(Image.open(buffer).convert("RGB"))


def _blends(
    images: ImageArray, label_N: IntArray, count: int, rng: np.random.Generator
) -> tuple[ImageArray, IntArray]:
    """Return means of two images of different classes, and the label of the first of each two."""
    first_B = rng.permutation(len(images))[:count]
    second_B = np.array(
        [rng.choice(np.flatnonzero(label_N != label_N[row])) for row in first_B], dtype=np.int64
    )
    mean = (images[first_B].astype(np.float64) + images[second_B]) / 2.0
    return np.round(mean).astype(np.uint8), label_N[first_B]
