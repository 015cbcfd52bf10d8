"""A child for tests of the supervisor: does what its spec lists, step by step."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from worker.processes.child import StopRequest, emit, run
from worker.processes.errors import ChildFailedError


def _do(step: dict[str, Any]) -> None:  # noqa: C901 - one case for each step
    match step:
        case {"emit": event}:
            emit(**event)
        case {"sleep": seconds}:
            time.sleep(seconds)
        case {"fail": code}:
            raise ChildFailedError(code, "as the test wants")
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


def main(spec: dict[str, Any], _stop: StopRequest) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # SIGTERM ends it, unless a step says otherwise
    for step in spec["steps"]:
        _do(step)


if __name__ == "__main__":
    run(main)
