import signal
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _children_hear_ctrl_c() -> Iterator[None]:
    """Shells let background jobs ignore Ctrl-C, and children would inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
