"""The demo's data: real handwritten digits, some of them put into the wrong class."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits

from labelaudit.client.files import replacing

_NUM_CLASSES = 10
_BRIGHTEST = 16  # scikit-learn's digits count the dark pixels of 4 x 4 blocks


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of one image."""

    path: str
    """As in the findings: below the folder of the images."""
    true_label: str
    wrong: bool
    """Whether it lies in another class's folder."""


def write_digits(
    folder: Path, *, share_wrong: float, seed: int, num_images: int | None = None
) -> list[Truth]:
    """Write 8-bit PNG files in class folders; exactly `share_wrong` of them in a wrong one.

    The files are numbered in a random order: neither name nor order tells the true class. By
    default all 1,797 are written.
    """
    data = load_digits()
    generator = np.random.default_rng(seed)
    given = data.target[:num_images].copy()
    num_images = len(given)
    moved = generator.choice(num_images, size=round(share_wrong * num_images), replace=False)
    given[moved] = (given[moved] + generator.integers(1, _NUM_CLASSES, moved.size)) % _NUM_CLASSES
    truths = []
    for number, index in enumerate(generator.permutation(num_images)):
        path = f"{given[index]}/img-{number:04}.png"
        _write_image(folder / path, data.images[index])
        true_label = int(data.target[index])
        truths.append(Truth(path, str(true_label), wrong=bool(given[index] != true_label)))
    return truths


def write_truth(truths: Iterable[Truth], target: Path) -> None:
    """Write `truth.csv`."""
    with (
        replacing(target) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("path", "true_label", "wrong"))
        for truth in truths:
            writer.writerow((truth.path, truth.true_label, str(truth.wrong).lower()))


def _write_image(target: Path, intensity_HW: NDArray[np.float64]) -> None:  # noqa: N803 - a shape suffix
    target.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.rint(intensity_HW * (255 / _BRIGHTEST)).astype(np.uint8)
    Image.fromarray(pixels).save(target)
