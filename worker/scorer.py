"""The child that judges uploaded probabilities: `python -m worker.scorer SPEC`."""

import sys
from pathlib import Path

from worker.child import EXIT_DONE, StopRequest, fail, read_spec, telling_full_disk
from worker.sandboxed_reader import SandboxedReader, signal_of_crash
from worker.scores.arrays import INVALID_SCORES

READER = "worker.scores"


@telling_full_disk()
def main() -> None:
    """Have the file read, judge, and write the results, or say why not."""
    spec = read_spec()
    read_scores(Path(sys.argv[1]), StopRequest())
    # Seconds of loading torch, which a file that is refused need not wait for.
    from worker.scores.results import write_results  # noqa: PLC0415 - as said

    try:
        write_results(Path(spec["out_dir"]))
    except MemoryError as error:
        fail("oom", f"not enough memory: {error}")


def read_scores(spec: Path, stop: StopRequest) -> None:
    """Return when the reader has left its arrays.

    A file that crashes its decoder fails as one does that the decoder refuses.
    """
    exit_code = SandboxedReader(READER, spec).wait(stop)
    crash = signal_of_crash(exit_code)
    if crash is not None:
        fail(INVALID_SCORES, f"the file crashes its reader ({crash}): it is damaged")
    if exit_code != EXIT_DONE:
        sys.exit(exit_code)


if __name__ == "__main__":
    main()
