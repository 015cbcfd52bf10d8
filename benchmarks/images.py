"""Real images for benchmarks, from where they lie on this machine; nothing is fetched."""

import gzip
import os
import struct
import sys
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.harness import ROOT
from ml.types import ImageArray, IntArray

_CIFAR10 = ROOT.parent / "shared" / "data" / "cifar10-train.zip"
_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
NUM_CLASSES = 10
_UNSIGNED_BYTE = 8


class Pictures(NamedTuple):
    """RGB images and their true labels."""

    images: ImageArray
    """(N, H, W, 3)."""
    labels: IntArray
    """(N,), in [0, 10)."""


def cifar10_zip() -> Path:
    """Return the class-folder zip: `CIFAR10_ZIP`, or the one in shared/data."""
    path = Path(os.environ.get("CIFAR10_ZIP", _CIFAR10))
    if not path.exists():
        sys.exit(f"no CIFAR-10 at {path}: nothing to measure (CIFAR10_ZIP names another place)")
    return path


def cifar10(num_images: int) -> Pictures:
    """Return the first training images of each class."""
    with zipfile.ZipFile(cifar10_zip()) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
        classes = sorted({name.split("/")[-2] for name in names})
        labels = np.array([classes.index(name.split("/")[-2]) for name in names], dtype=np.int64)
        rows = stratified_rows(labels, num_images)
        images = [
            np.asarray(Image.open(BytesIO(archive.read(names[row]))).convert("RGB")) for row in rows
        ]
    return Pictures(np.stack(images), labels[rows])


def fashion_mnist_folder() -> Path:
    """Return the folder of the IDX files: `FASHION_MNIST`, or Debian's dataset-fashion-mnist."""
    folder = Path(os.environ.get("FASHION_MNIST", _FASHION_MNIST))
    if not (folder / "train-images-idx3-ubyte.gz").exists():
        sys.exit(f"no Fashion-MNIST at {folder}: apt-get install dataset-fashion-mnist")
    return folder


def fashion_mnist(num_images: int, *, split: Literal["train", "t10k"] = "train") -> Pictures:
    """Return the first images of each class, as RGB."""
    folder = fashion_mnist_folder()
    labels = read_idx(folder / f"{split}-labels-idx1-ubyte.gz").astype(np.int64)
    rows = stratified_rows(labels, num_images)
    grey = read_idx(folder / f"{split}-images-idx3-ubyte.gz")[rows]
    return Pictures(np.repeat(grey[..., None], 3, axis=-1), labels[rows])


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Return the array of an IDX file of bytes."""
    with gzip.open(path) as file:
        kind, num_axes = struct.unpack(">xxBB", file.read(4))
        assert kind == _UNSIGNED_BYTE, path
        shape = struct.unpack(f">{num_axes}I", file.read(4 * num_axes))
        return np.frombuffer(file.read(), dtype=np.uint8).reshape(shape)


def stratified_rows(
    labels: IntArray, num_rows: int, generator: np.random.Generator | None = None
) -> NDArray[np.int64]:
    """Return rows, in order, that hold the classes in the shares that all rows do.

    Args:
        labels: IntArray of all rows, shape (N,).
        num_rows: How many to take; all if there are no more than these.
        generator: Where the choice inside a class comes from; None takes the first ones.
    """
    if num_rows >= len(labels):
        return np.arange(len(labels))
    chosen = []
    for label, quota in _quotas(labels, num_rows).items():
        rows = np.flatnonzero(labels == label)
        chosen.append((rows if generator is None else generator.permutation(rows))[:quota])
    return np.sort(np.concatenate(chosen))


def _quotas(labels: IntArray, num_rows: int) -> dict[int, int]:
    """Share out rows between the classes: rounded down, and the rest to the largest remainders."""
    values, counts = np.unique(labels, return_counts=True)
    exact = counts * (num_rows / len(labels))
    quotas = np.floor(exact).astype(np.int64)
    largest = np.argsort(quotas - exact, kind="stable")[: num_rows - int(quotas.sum())]
    quotas[largest] += 1
    return dict(zip(values.tolist(), quotas.tolist(), strict=True))
