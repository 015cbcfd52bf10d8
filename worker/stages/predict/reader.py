"""`python -P -m worker.stages.predict.reader SPEC.json`: decodes images inside walls, then ends.

It goes on after the last image of which there is word, so an image that kills it costs only itself.
"""

import json
import resource
import warnings
from pathlib import Path
from typing import Any, BinaryIO

from worker.files.errors import Refusal, RefusedFileError, RejectCode
from worker.files.limits import Limits, confine_process
from worker.processes.child import StopRequest, run
from worker.stages.ingest.images import decode_image
from worker.stages.predict.files import PIXELS, READ

_CPU_SECONDS = 20
"""An image of the largest size takes about two; each process has this for all that it reads."""
_NUM_CHANNELS = 3


def main(spec: dict[str, Any], stop: StopRequest) -> None:
    """Decode what is left of the images."""
    limits = Limits.from_spec(spec["limits"])
    confine_process(limits, cpu_seconds=_CPU_SECONDS)
    # At the hard limit the kernel kills without a reason given; at the soft one it names it.
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, hard))
    warnings.simplefilter("ignore")  # Pillow's remarks on odd files; what matters raises
    _read_all(spec, limits, stop)


def _read_all(spec: dict[str, Any], limits: Limits, stop: StopRequest) -> None:
    folder, side = Path(spec["out_dir"]), int(spec["image_size"])
    done = _lines(folder / READ)
    num_good = sum(line == "null" for line in done)
    with (folder / PIXELS).open("ab") as pixels, (folder / READ).open("a") as report:
        # A row may have been written without its line.
        pixels.truncate(num_good * side * side * _NUM_CHANNELS)
        pixels.seek(0, 2)
        for index in range(len(done), spec["num_images"]):
            stop.check()
            refusal = _read(Path(spec["inputs"]) / str(index), pixels, limits, side)
            report.write(json.dumps(refusal and refusal._asdict()) + "\n")
            report.flush()


def _read(file: Path, pixels: BinaryIO, limits: Limits, side: int) -> Refusal | None:
    """Write one image's row, or return why there is none."""
    num_bytes = file.stat().st_size
    if num_bytes > limits.max_file_bytes:
        detail = f"The file has {num_bytes:,} bytes; at most {limits.max_file_bytes:,} are taken."
        return Refusal(RejectCode.FILE_TOO_LARGE, detail)
    try:
        image = decode_image(file.read_bytes(), image_size=side, max_pixels=limits.max_image_pixels)
    except RefusedFileError as error:
        return error.refusal
    pixels.write(image.row)
    pixels.flush()
    return None


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


if __name__ == "__main__":
    run(main)
