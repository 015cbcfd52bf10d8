"""What a promise is about, pinned when it is opened, and how its checks are drawn."""

from collections.abc import Sequence
from math import ceil

SHARES = (0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2)
"""Of the ranked list: convention, fixed beforehand so that no result can choose the bands."""
_ROUNDING = 1e-9


def band_sizes(shares: Sequence[float], num_samples: int) -> list[int]:
    """Return the sizes of nested bands of a ranked list, each at least one sample."""
    return [max(1, ceil(share * num_samples - _ROUNDING)) for share in shares]
