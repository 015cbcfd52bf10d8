"""The published figures that a study's table stands beside."""

from dataclasses import dataclass

SOURCE = (
    "Arazo, Ortego, Albert, O'Connor, McGuinness: Unsupervised Label Noise Modeling and Loss "
    "Correction, ICML 2019 (arXiv 1904.11238)"
)
NOISE_PERCENT = (0, 20, 50, 80, 90)
"""Nominal: labels of so many samples were drawn anew from all classes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRow:
    """Test accuracy in percent, at each of the noise levels."""

    data: str
    method: str
    best: tuple[float, ...]
    """Of the epoch that does best on the test data."""
    last: tuple[float, ...]


PUBLISHED = (
    PublishedRow(
        data="CIFAR-10",
        method="m-dyr-h",
        best=(93.6, 94.0, 92.0, 86.8, 40.8),
        last=(93.4, 93.8, 91.9, 86.6, 9.9),
    ),
    PublishedRow(
        data="CIFAR-10",
        method="md-dyr-sh",
        best=(93.6, 93.8, 90.6, 82.4, 69.1),
        last=(92.7, 93.6, 90.3, 77.8, 68.7),
    ),
    PublishedRow(
        data="CIFAR-100",
        method="m-dyr-h",
        best=(70.3, 68.7, 61.7, 48.2, 12.5),
        last=(66.2, 68.5, 58.8, 47.6, 8.6),
    ),
    PublishedRow(
        data="CIFAR-100",
        method="md-dyr-sh",
        best=(73.3, 73.9, 66.1, 41.6, 24.3),
        last=(71.3, 73.34, 65.4, 35.4, 20.5),
    ),
)
