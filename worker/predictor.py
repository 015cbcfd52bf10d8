"""The child that predicts: `python -m worker.predictor SPEC`.

Images are decoded in a process of their own, inside walls, while this one loads torch.
"""

import json
import sys
from pathlib import Path
from typing import Any

from worker.child import EXIT_DONE, StopRequest, fail, read_spec, telling_full_disk
from worker.files.errors import RejectCode
from worker.predictions.files import READ
from worker.sandboxed_reader import SandboxedReader, signal_of_crash

READER = "worker.predictions"


@telling_full_disk()
def main() -> None:
    """Have the images read, show them to the network, and write the answer, or say why not."""
    spec = read_spec()
    spec_file, stop = Path(sys.argv[1]), StopRequest()
    reader = SandboxedReader(READER, spec_file)
    from worker.predictions.network import write_answer  # noqa: PLC0415 - a second or two of torch

    try:
        _finish_reading(reader, spec, spec_file, stop)
        write_answer(spec)
    except MemoryError as error:
        fail("oom", f"not enough memory: {error}")


def _finish_reading(
    reader: SandboxedReader, spec: dict[str, Any], spec_file: Path, stop: StopRequest
) -> None:
    """Return when there is word of every image: one that crashes its reader is broken."""
    while (exit_code := reader.wait(stop)) != EXIT_DONE:
        crash = signal_of_crash(exit_code)
        if crash is None:
            sys.exit(exit_code)
        detail = f"Decoding it crashed or took too long ({crash})."
        _tell(Path(spec["out_dir"]) / READ, {"code": RejectCode.BROKEN_IMAGE, "detail": detail})
        reader = SandboxedReader(READER, spec_file)


def _tell(file: Path, problem: dict[str, str]) -> None:
    """Say of the image that was being read what is wrong; half a line of the reader's goes."""
    whole, newline, _ = (file.read_text() if file.exists() else "").rpartition("\n")
    file.write_text(f"{whole}{newline}{json.dumps(problem)}\n")


if __name__ == "__main__":
    main()
