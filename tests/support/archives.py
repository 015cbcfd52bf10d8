"""Archives of real image files, made from the tiny data set."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from tests.support.tiny import CLASSES, plant_errors, tiny_images


def encode_png(pixels: npt.NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()


def write_tiny_zip(
    target: Path,
    *,
    num_train: int = 240,
    num_test: int = 0,
    classes: list[str] | None = None,
    extra: Mapping[str, bytes] | None = None,
) -> set[str]:
    """Write coloured images with a tenth of the training labels wrong; return those paths."""
    names = classes or CLASSES
    images, truth = tiny_images(num_train + num_test)
    labels, is_wrong = plant_errors(truth)
    wrong_paths = set()
    with zipfile.ZipFile(target, "w") as archive:
        for i, pixels in enumerate(images):
            split = "" if not num_test else "train/" if i < num_train else "test/"
            label = labels[i] if i < num_train else truth[i]
            path = f"set/{split}{names[label]}/{i:04d}.png"
            archive.writestr(path, encode_png(pixels))
            if is_wrong[i] and i < num_train:
                wrong_paths.add(path)
        for name, content in (extra or {}).items():
            archive.writestr(name, content)
    return wrong_paths
