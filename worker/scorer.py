"""The child that judges uploaded probabilities: `python -m worker.scorer SPEC`."""

import errno
import signal
import subprocess
import sys
import time
from pathlib import Path

from worker.child import EXIT_DONE, EXIT_INTERRUPTED, StopRequest, fail, read_spec
from worker.scores.errors import INVALID_SCORES

READER = "worker.scores"
_POLL_SECONDS = 0.1


def main() -> None:
    """Have the file read, judge, and write the results, or say why not."""
    spec = read_spec()
    read_apart(Path(sys.argv[1]), StopRequest())
    # Seconds of loading torch, which a file that is refused need not wait for.
    from worker.scores.results import write_results  # noqa: PLC0415 - as said

    try:
        write_results(Path(spec["out_dir"]))
    except MemoryError as error:
        fail("oom", f"not enough memory: {error}")
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        fail("no_space", "the data volume is full")


def read_apart(spec: Path, stop: StopRequest) -> None:
    """Return when the reader, a process of its own, has left its arrays.

    What it tells goes straight to the supervisor. A decoder that crashes on a file says the same
    of the file as an error does; out of memory, it is killed, and that is nobody's word.
    """
    with subprocess.Popen(
        [sys.executable, "-P", "-m", READER, str(spec)], stdin=subprocess.DEVNULL
    ) as reader:
        while reader.poll() is None:
            if stop.requested:
                reader.terminate()
            time.sleep(_POLL_SECONDS)
    if stop.requested:
        sys.exit(EXIT_INTERRUPTED)
    if reader.returncode < 0 and reader.returncode != -signal.SIGKILL:
        name = signal.Signals(-reader.returncode).name
        fail(INVALID_SCORES, f"the file crashes its reader ({name}): it is damaged")
    if reader.returncode != EXIT_DONE:
        sys.exit(reader.returncode)


if __name__ == "__main__":
    main()
