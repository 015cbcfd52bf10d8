"""How fast work goes and when it will be done, told only once starting up no longer counts."""

import time
from collections.abc import Callable

import ml

Clock = Callable[[], float]
_SHORTEST = 1e-6
"""Seconds: no clock is so coarse that a speed is infinite."""


class Pace:
    """The speed of work after its first part, which also took what starting up takes."""

    def __init__(self, *, first_part: float = 0.0, clock: Clock = time.monotonic) -> None:
        """Leave out the work up to the first report from `first_part` on."""
        self._first_part = first_part
        self._clock = clock
        self._since: tuple[float, float] | None = None

    def rate(self, done: float) -> float | None:
        """Return the work per second; None until as much again as the first part is done."""
        now = self._clock()
        if self._since is None:
            if done >= self._first_part:
                self._since = (done, now)
            return None
        before, began = self._since
        measured = done - before
        if measured <= 0.0 or measured < self._first_part:
            return None
        return measured / max(now - began, _SHORTEST)


class TrainingPace:
    """The same of a training: its speed in images, its end by whole epochs."""

    def __init__(
        self, num_samples: int, *, epochs: int, epochs_done: int, clock: Clock = time.monotonic
    ) -> None:
        """Watch a training that begins, or is resumed, after `epochs_done` epochs."""
        self._num_samples = num_samples
        self._epochs = epochs
        self._epochs_done = epochs_done
        self._clock = clock
        self._training = Pace(first_part=1.0, clock=clock)
        self._epoch = 0
        self._in_epoch = Pace(clock=clock)

    def after(self, batch: ml.BatchProgress) -> tuple[float | None, float | None]:
        """Return images per second in this epoch, and seconds left; None where not yet known."""
        if batch.epoch != self._epoch:
            self._epoch, self._in_epoch = batch.epoch, Pace(clock=self._clock)
        part = batch.batch / batch.num_batches
        done = batch.epoch - 1 + part
        speed = self._in_epoch.rate(part)
        rate = self._training.rate(done - self._epochs_done)
        return (
            None if speed is None else speed * self._num_samples,
            None if rate is None else (self._epochs - done) / rate,
        )
