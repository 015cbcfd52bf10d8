"""Checks of a data set, and its facts; read in chunks, for data may be larger than memory."""

import numpy as np

from ml.training.state import DataFacts
from ml.types import FeatureArray, ImageArray, IntArray

MIN_STD = 1e-3
STATISTICS_CHUNK = 4096
MIN_SAMPLES = 2
MIN_CLASSES = 2


def describe(image_NHWC: ImageArray, label_N: IntArray, num_classes: int) -> DataFacts:
    """Check a data set and return its facts.

    Raises:
        ValueError: When images and labels do not fit together.
    """
    _check(image_NHWC, label_N, num_classes)
    mean_C, std_C = _channel_statistics(image_NHWC)
    return DataFacts(
        num_samples=len(label_N),
        num_classes=num_classes,
        image_size=(int(image_NHWC.shape[1]), int(image_NHWC.shape[2])),
        mean=tuple(mean_C.tolist()),
        std=tuple(std_C.tolist()),
    )


def describe_features(
    feature_NVD: FeatureArray, label_N: IntArray, num_classes: int, *, input_size: int
) -> DataFacts:
    """Check the features of a data set and return its facts, but for the images' normalisation.

    Args:
        feature_NVD: Features, float16, shape (N, views, D).
        label_N: Given labels, shape (N,).
        num_classes: Number of classes, C.
        input_size: Side in pixels of the images that the frozen network saw.

    Raises:
        ValueError: When features and labels do not fit together, or a feature is not finite.
    """
    if feature_NVD.ndim != 3 or feature_NVD.dtype != np.float16 or 0 in feature_NVD.shape[1:]:
        raise ValueError("features must be float16 of shape (N, views, D)")
    _check_labels(label_N, len(feature_NVD), num_classes)
    for begin in range(0, len(feature_NVD), STATISTICS_CHUNK):
        if not np.isfinite(feature_NVD[begin : begin + STATISTICS_CHUNK]).all():
            raise ValueError("features must be finite")
    return DataFacts(
        num_samples=len(label_N),
        num_classes=num_classes,
        image_size=(input_size, input_size),
        mean=(),
        std=(),
        num_features=int(feature_NVD.shape[2]),
    )


def _check(image_NHWC: ImageArray, label_N: IntArray, num_classes: int) -> None:
    if image_NHWC.ndim != 4 or image_NHWC.dtype != np.uint8 or image_NHWC.shape[3] != 3:
        raise ValueError("images must be uint8 of shape (N, H, W, 3)")
    _check_labels(label_N, len(image_NHWC), num_classes)


def _check_labels(label_N: IntArray, num_samples: int, num_classes: int) -> None:
    if label_N.shape != (num_samples,):
        raise ValueError("there must be one label for each image")
    if len(label_N) < MIN_SAMPLES or num_classes < MIN_CLASSES:
        raise ValueError("training needs at least two images and two classes")
    if label_N.min() < 0 or label_N.max() >= num_classes:
        raise ValueError(f"labels must be between 0 and {num_classes - 1}")


def _channel_statistics(image_NHWC: ImageArray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and deviation of each channel, from one pass in chunks; exact in integers."""
    total_C = np.zeros(3, dtype=np.int64)
    square_C = np.zeros(3, dtype=np.int64)
    for begin in range(0, len(image_NHWC), STATISTICS_CHUNK):
        value = image_NHWC[begin : begin + STATISTICS_CHUNK].astype(np.int64)
        total_C += value.sum(axis=(0, 1, 2))
        square_C += (value * value).sum(axis=(0, 1, 2))
    num_pixels = image_NHWC.size // 3
    mean_C = total_C / num_pixels
    variance_C = np.maximum(square_C / num_pixels - mean_C**2, 0.0)
    return mean_C / 255.0, np.maximum(np.sqrt(variance_C) / 255.0, MIN_STD)
