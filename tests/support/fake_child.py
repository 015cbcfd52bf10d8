"""A child for tests of the supervisor: does what its spec lists, step by step."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from worker.child import emit, fail, read_spec


def _do(step: dict[str, Any]) -> None:  # noqa: C901 - one case for each step
    match step:
        case {"emit": event}:
            emit(**event)
        case {"sleep": seconds}:
            time.sleep(seconds)
        case {"fail": code}:
            fail(code, "as the test wants")
        case {"exit": code}:
            sys.exit(code)
        case {"signal": number}:
            os.kill(os.getpid(), number)
        case {"read": path}:
            Path(path).read_bytes()
        case {"ignore_term": _}:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        case {"stdout": text} | {"stderr": text}:
            stream = sys.stdout if "stdout" in step else sys.stderr
            stream.write(text)
            stream.flush()  # what a kill or a long sleep would keep back
        case _:
            raise ValueError(step)


if __name__ == "__main__":
    for step in read_spec()["steps"]:
        _do(step)
