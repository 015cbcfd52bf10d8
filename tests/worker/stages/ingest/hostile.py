"""Files that mean harm or nonsense, each with the code it has to get.

`python -m tests.worker.stages.ingest.hostile FOLDER` makes all of them there and ingests each
behind the walls of the real process; the last line says how much memory that took.
"""

import json
import sys
from pathlib import Path

from app.core.storage import BlobStore
from tests.worker.stages.ingest.hostile_archives import ARCHIVES
from tests.worker.stages.ingest.hostile_contents import ARRAYS, IMAGES, TABLES
from tests.worker.stages.ingest.making import (
    LIMITS,
    run,
)
from worker.files.errors import UploadError
from worker.files.limits import confine_process, cpu_budget_seconds

CORPUS = {**ARCHIVES, **IMAGES, **TABLES, **ARRAYS}


def outcome(path: Path) -> list[str]:
    """Return the code of the whole upload, or those of its files."""
    try:
        return sorted({row["code"] for row in run(path).rejected})
    except UploadError as error:
        return [str(error.code)]
    except Exception as error:  # noqa: BLE001 - the test shows which file did it
        return [type(error).__name__]


def peak_kib() -> int:
    """Return the most memory that this process had; getrusage would count its parent's too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def main(folder: Path) -> None:
    """Make, ingest, tell."""
    for number, (make, _) in enumerate(CORPUS.values()):
        make(folder / str(number))
    BlobStore.sync = staticmethod(lambda: None)  # type: ignore[method-assign] # not what is tested
    confine_process(LIMITS, cpu_seconds=cpu_budget_seconds(0))
    for number, name in enumerate(CORPUS):
        print(json.dumps({"name": name, "codes": outcome(folder / str(number))}))  # noqa: T201 - read by the test
    print(json.dumps({"peak_kib": peak_kib()}))  # noqa: T201 - as above


if __name__ == "__main__":
    main(Path(sys.argv[1]))
