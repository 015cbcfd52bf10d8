"""Kinds of noise by name, for a command line."""

from collections.abc import Callable

from ml.noise.classes import (
    CIFAR10_CLASS_MAP,
    AsymmetricNoise,
    UniformNoise,
    UniformOthersNoise,
)
from ml.noise.inject import Noise
from ml.noise.instance import InstanceNoise
from ml.types import FloatArray


def _instance(rate: float, features_ND: FloatArray | None) -> Noise:
    if features_ND is None:
        raise ValueError("instance noise needs features of the samples")
    return InstanceNoise(rate, features_ND)


NOISE_KINDS: dict[str, Callable[[float, FloatArray | None], Noise]] = {
    "uniform": lambda rate, _: UniformNoise(rate),
    "uniform-others": lambda rate, _: UniformOthersNoise(rate),
    "asymmetric": lambda rate, _: AsymmetricNoise(rate),
    "asymmetric-cifar10": lambda rate, _: AsymmetricNoise(rate, CIFAR10_CLASS_MAP),
    "instance": _instance,
}
"""Kinds that need a rate, and `instance` also features; each is made from both."""


def parse_noise(name: str, rate: float, *, features_ND: FloatArray | None = None) -> Noise:
    """Return a kind of noise by its name.

    Args:
        name: One of `NOISE_KINDS`.
        rate: Nominal rate in [0, 1]; what it means is written at each kind.
        features_ND: Features, shape (N, D); needed only by `instance`.

    Raises:
        ValueError: When the name is unknown (the message names the known ones), the rate is out
            of range, or features are needed and missing.
    """
    if name not in NOISE_KINDS:
        raise ValueError(f"unknown noise {name!r}; known: {', '.join(NOISE_KINDS)}")
    return NOISE_KINDS[name](rate, features_ND)
