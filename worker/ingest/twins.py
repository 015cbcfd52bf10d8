"""Names that some file system could not keep apart, found in eight bytes a name."""

from collections.abc import Iterable

import numpy as np

from worker.files.names import twin_key


class Twins:
    """Knows which names were taken, of those that may have a twin."""

    def __init__(self, paths: Iterable[str]) -> None:
        """Look at all names: most share their hash with no other, and so are no twins."""
        hashes = np.fromiter((hash(twin_key(path)) for path in paths), np.int64)
        hashes.sort()
        self._suspects = frozenset(hashes[1:][hashes[1:] == hashes[:-1]].tolist())
        self._taken: dict[str, str] = {}

    def of(self, path: str) -> str | None:
        """Return the name that was taken and is a twin of this one."""
        return self._taken.get(twin_key(path)) if self._suspects else None

    def take(self, path: str) -> None:
        """Note that a name was taken."""
        if self._suspects and hash(key := twin_key(path)) in self._suspects:
            self._taken[key] = path
