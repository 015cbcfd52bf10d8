"""No process of ours outlives the one that started it, however that one ended."""

import os
import signal
import threading
import time
from collections.abc import MutableMapping

PARENT_PID_VARIABLE = "LABELAUDIT_PARENT_PID"
_CHECK_SECONDS = 0.5
_GRACE_SECONDS = 30.0


def follow_parent(environ: MutableMapping[str, str]) -> None:
    """End this process once the parent named in its environment is gone.

    The variable is taken out: the processes that this one starts have another parent.
    """
    expected = environ.pop(PARENT_PID_VARIABLE, "")
    if expected.isdecimal():
        watch = threading.Thread(
            target=_watch, args=(int(expected),), daemon=True, name="parent-watch"
        )
        watch.start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_CHECK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)  # first the clean way, as if the parent had asked
    time.sleep(_GRACE_SECONDS)
    os._exit(1)
