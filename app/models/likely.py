"""Further classes that a sample may be of, packed: ten million rows carry this column."""

import struct

LEAST_PROBABILITY = 0.005
"""Less probable classes are not stored: most samples then need no byte at all."""
MAX_STORED = 6
"""Beside the suggestion; each takes 4 bytes."""
SCALE = 65535
"""Of a probability of 1: both numbers of a pair are unsigned, of 16 bits, the low byte first."""
MAX_LABEL = 65535
_PAIR = struct.Struct("<HH")


def unpack_likely(packed: bytes | None) -> list[tuple[int, float]]:
    """Return (label, probability from 0 to 1), the most probable first."""
    if packed is None:
        return []
    return [(label, share / SCALE) for label, share in _PAIR.iter_unpack(packed)]
