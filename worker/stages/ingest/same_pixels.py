"""Different files with the very same pixels: saved again without loss, or with other metadata.

Only pictures with different labels are compared: of these, at most one label is right. They were
found as near copies, and are equal in the cache, which may hold them smaller; then the files tell.
"""

import hashlib
from collections.abc import Sequence

import numpy as np

from app.core.storage import BlobStore
from worker.files.errors import RefusedFileError
from worker.files.limits import SafePoint
from worker.stages.ingest.images import every_pixel
from worker.stages.ingest.pixel_cache import PixelFile
from worker.stages.ingest.sample_file import SampleFile

_MAX_PIXELS = 25_000_000
"""Of one picture: decoded as a whole it takes 100 MB."""
_MAX_TOTAL_PIXELS = 500_000_000
"""Of all that are compared: some 15 seconds. What is left then stays a near copy."""


def torn_pairs(
    near_pairs: Sequence[tuple[int, int]], samples: SampleFile, cache: PixelFile
) -> list[tuple[int, int]]:
    """Return the pairs with different labels that are equal in the cache."""
    return [
        (low, high)
        for low, high in near_pairs
        if samples.brief(low).class_name != samples.brief(high).class_name
        and np.array_equal(*cache[np.array([low, high])])
    ]


def same_pixels(
    pairs: Sequence[tuple[int, int]],
    samples: SampleFile,
    store: BlobStore,
    safe_point: SafePoint,
) -> list[tuple[int, int]]:
    """Return those of the pairs whose files hold the same pixels.

    Args:
        pairs: Positions of samples.
        samples: What is known of them.
        store: Holds their files, so far as they are on this machine.
        safe_point: Is called before each file.
    """
    digests = _Digests(store, safe_point)
    return [
        (low, high)
        for low, high in pairs
        if (digest := digests.of(samples.brief(low).sha256)) is not None
        and digest == digests.of(samples.brief(high).sha256)
    ]


class _Digests:
    """Digests of pixels, each computed once, while there is time left for more."""

    def __init__(self, store: BlobStore, safe_point: SafePoint) -> None:
        self._store = store
        self._safe_point = safe_point
        self._left = _MAX_TOTAL_PIXELS
        self._known: dict[str, bytes | None] = {}

    def of(self, sha256: str) -> bytes | None:
        """Return the digest of a file; None where it is not known."""
        if sha256 not in self._known:
            self._safe_point()
            self._known[sha256] = self._compute(sha256)
        return self._known[sha256]

    def _compute(self, sha256: str) -> bytes | None:
        max_pixels = min(_MAX_PIXELS, self._left)
        try:
            mode, size, pixels = every_pixel(self._store.load(sha256), max_pixels=max_pixels)
        except (FileNotFoundError, RefusedFileError):
            return None
        self._left -= size[0] * size[1]
        return hashlib.sha256(f"{mode} {size} ".encode() + pixels).digest()
