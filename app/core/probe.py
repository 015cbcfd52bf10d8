"""A look at something that requests depend on, once a second however many ask."""

import time
from collections.abc import Callable
from typing import Generic, TypeVar

_REMEMBERED_SECONDS = 1.0
Answer = TypeVar("Answer")


class Probe(Generic[Answer]):
    """Remembers what it saw: to look each time would cost more than most requests."""

    def __init__(self, look: Callable[[], Answer]) -> None:
        """Look by calling `look`, which raises nothing."""
        self._look = look
        self._seen: tuple[Answer, float] | None = None

    def answer(self) -> Answer:
        """Return what the last look saw, or what one sees now where that is a second ago."""
        if self._seen is None or time.monotonic() >= self._seen[1]:
            self._seen = self._look(), time.monotonic() + _REMEMBERED_SECONDS
        return self._seen[0]
