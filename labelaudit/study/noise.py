"""Label noise as a function of seed and level alone: all methods meet the same wrong labels."""

import numpy as np

from labelaudit.errors import InputError
from labelaudit.study.data import StudyData
from ml.noise import NOISE_KINDS, NoisyLabels, inject_noise, parse_noise

_LEVEL_STEPS = 1_000_000
_OF_FEATURES = "instance"


def check_kind(kind: str) -> None:
    """Raise `InputError` where there is no such kind of noise."""
    if kind not in NOISE_KINDS:
        known = ", ".join(NOISE_KINDS)
        raise InputError(f"unknown noise kind {kind!r}; known: {known}", code="invalid_option")


def make_noise(data: StudyData, *, kind: str, level: float, seed: int) -> NoisyLabels:
    """Return the training labels with noise of a nominal level.

    Noise that depends on the single image does so by its pixels.

    Raises:
        InputError: When the data cannot have this noise.
    """
    generator = np.random.default_rng([seed, round(level * _LEVEL_STEPS)])
    features = None
    if kind == _OF_FEATURES:
        features = data.train_images.reshape(len(data.train_images), -1) / 255.0
    try:
        noise = parse_noise(kind, level, features_ND=features)
        return inject_noise(data.train_labels, noise, generator, data.num_classes)
    except ValueError as error:
        raise InputError(str(error), code="invalid_option") from error
