"""Real images for benchmarks, from where they lie on this machine; nothing is fetched."""

import os
import sys
import zipfile
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from benchmarks.method_table import read_idx
from labelaudit.study.data import stratified_rows
from ml.types import ImageArray, IntArray

_CIFAR10 = Path(__file__).resolve().parents[2] / "shared" / "data" / "cifar10-train.zip"
_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
NUM_CLASSES = 10


class Pictures(NamedTuple):
    """RGB images and their true labels."""

    images: ImageArray
    """(N, H, W, 3)."""
    labels: IntArray
    """(N,), in [0, 10)."""


def cifar10(num_images: int) -> Pictures:
    """Return the first training images of each class: `CIFAR10_ZIP`, or the zip in shared/data."""
    path = Path(os.environ.get("CIFAR10_ZIP", _CIFAR10))
    if not path.exists():
        sys.exit(f"no CIFAR-10 at {path}: nothing to measure (CIFAR10_ZIP names another place)")
    with zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
        classes = sorted({name.split("/")[-2] for name in names})
        labels = np.array([classes.index(name.split("/")[-2]) for name in names], dtype=np.int64)
        rows = stratified_rows(labels, num_images)
        images = [
            np.asarray(Image.open(BytesIO(archive.read(names[row]))).convert("RGB")) for row in rows
        ]
    return Pictures(np.stack(images), labels[rows])


def fashion_mnist(num_images: int) -> Pictures:
    """Return the first training images of each class of Debian's dataset-fashion-mnist, as RGB."""
    folder = Path(os.environ.get("FASHION_MNIST", _FASHION_MNIST))
    if not folder.exists():
        sys.exit(f"no Fashion-MNIST at {folder}: apt-get install dataset-fashion-mnist")
    labels = read_idx(folder / "train-labels-idx1-ubyte.gz").astype(np.int64)
    rows = stratified_rows(labels, num_images)
    grey = read_idx(folder / "train-images-idx3-ubyte.gz")[rows]
    return Pictures(np.repeat(grey[..., None], 3, axis=-1), labels[rows])
