"""Label noise on purpose, for studies: who is wrong is then known."""

from ml.noise.classes import (
    CIFAR10_CLASS_MAP,
    AsymmetricNoise,
    MatrixNoise,
    UniformNoise,
    UniformOthersNoise,
)
from ml.noise.inject import Noise, NoisyLabels, inject_noise
from ml.noise.instance import InstanceNoise
from ml.noise.names import NOISE_KINDS, parse_noise

__all__ = [
    "CIFAR10_CLASS_MAP",
    "NOISE_KINDS",
    "AsymmetricNoise",
    "InstanceNoise",
    "MatrixNoise",
    "Noise",
    "NoisyLabels",
    "UniformNoise",
    "UniformOthersNoise",
    "inject_noise",
    "parse_noise",
]
