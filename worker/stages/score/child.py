"""The child that judges uploaded probabilities: `python -m worker.stages.score.child SPEC`."""

import sys
from pathlib import Path
from typing import Any

from worker.processes.child import EXIT_DONE, StopRequest, run
from worker.processes.errors import ChildFailedError
from worker.processes.sandboxed_reader import SandboxedReader, signal_of_crash
from worker.stages.score.arrays import INVALID_SCORES

READER = "worker.stages.score.reader"


def main(spec: dict[str, Any], stop: StopRequest) -> None:
    """Have the file read, judge, and write the results, or say why not."""
    read_scores(Path(sys.argv[1]), stop)
    # Seconds of loading torch, which a file that is refused need not wait for.
    from worker.stages.score.results import write_results  # noqa: PLC0415 - as said

    write_results(Path(spec["out_dir"]))


def read_scores(spec: Path, stop: StopRequest) -> None:
    """Return when the reader has left its arrays.

    A file that crashes its decoder fails as one does that the decoder refuses.
    """
    exit_code = SandboxedReader(READER, spec).wait(stop)
    crash = signal_of_crash(exit_code)
    if crash is not None:
        detail = f"the file crashes its reader ({crash}): it is damaged"
        raise ChildFailedError(INVALID_SCORES, detail)
    if exit_code != EXIT_DONE:
        sys.exit(exit_code)  # the reader has reported why


if __name__ == "__main__":
    run(main)
