import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(probe: Callable[[], T | None], *, seconds: float, what: str, every: float = 0.05) -> T:
    """Return the probe's first true answer; fail the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := probe():
            return answer
        time.sleep(every)
    raise AssertionError(f"{what}: not within {seconds:g} s")
