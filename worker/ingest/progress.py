"""How far the ingest is, told at a pace that a database can follow."""

import time
from collections.abc import Callable

Emit = Callable[[float, float], None]
"""Takes the fraction that is done and the images per second so far."""

_SECONDS_BETWEEN = 0.5


class ProgressMeter:
    """Counts images from the moment it is made."""

    def __init__(self, emit: Emit, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._emit = emit
        self._clock = clock
        self._started = clock()
        self._last = self._started

    def update(self, *, num_done: int, num_total: int, num_images: int) -> None:
        """Pass on the news, if the last are old enough or these are the last."""
        now = self._clock()
        if now - self._last >= _SECONDS_BETWEEN or num_done == num_total:
            self._last = now
            self._emit(num_done / num_total, self.images_per_second(num_images))

    def images_per_second(self, num_images: int) -> float:
        """Return the mean speed since the start."""
        return num_images / max(self._clock() - self._started, 1e-9)
