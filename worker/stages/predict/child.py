"""The child that predicts: `python -m worker.stages.predict.child SPEC`.

Images are decoded in a process of their own, inside walls, while this one loads torch.
"""

import json
import sys
from pathlib import Path
from typing import Any

from worker.files.errors import RejectCode
from worker.processes.child import EXIT_DONE, StopRequest, run
from worker.processes.sandboxed_reader import SandboxedReader, signal_of_crash
from worker.stages.predict.files import READ

READER = "worker.stages.predict.reader"


def main(spec: dict[str, Any], stop: StopRequest) -> None:
    """Have the images read, show them to the network, and write the answer, or say why not."""
    spec_file = Path(sys.argv[1])
    reader = SandboxedReader(READER, spec_file)
    from worker.stages.predict.network import write_answer  # noqa: PLC0415 - a second or two of torch

    finish_reading(reader, spec, spec_file, stop)
    write_answer(spec)


def finish_reading(
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
    run(main)
