"""How fast an upload is taken in, beside torchvision's ImageFolder that merely decodes it.

An ingest is the whole job: hash, checks, full decode, blobs on disk, cache, duplicates, rows. The
other side is `ImageFolder` below a `DataLoader` with two workers that drops what it decodes. Both
run in turn, so that whatever else the machine does concerns both; what counts is their ratio.

    python -m benchmarks.service.ingest_speed [UPLOAD.zip] [--repeat N] [--out RESULT.json]

Without an upload it makes one of 20,000 JPEGs of 32x32 pixels. Then the memory of the reading
process, for a tenth of the upload and for all of it.
"""

import argparse
import io
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torchvision
from PIL import Image
from torch.utils.data import DataLoader

from app.core.settings import Settings
from app.core.storage import BlobStore
from benchmarks.harness import ROOT, facts, keep
from benchmarks.service.private_jobs import PrivateJobs

_NUM_MADE = 20_000
_NUM_CLASSES = 10
_NUM_WORKERS = 2
_BATCH_SIZE = 256
_TELL_PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
"""A child's peak begins with the size of the process that starts it, so a small one does that."""
_LIMITS = ("max_files", "max_file_bytes", "max_unpacked_bytes", "max_image_pixels")


def main() -> None:
    """Print one table, and write it as JSON where wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("upload", type=Path, nargs="?")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        upload = options.upload or make_upload(Path(folder) / "upload.zip")
        result = facts(options) | measure(upload, Path(folder), options.repeat)
    print(json.dumps(result, indent=1))
    keep(result, options.out)


def measure(upload: Path, folder: Path, num_repeats: int) -> dict[str, Any]:
    """Run both sides in turn, then look at the memory."""
    num_images, images = unpack(upload, folder / "images")
    jobs = PrivateJobs(folder / "data")
    runs = []
    for number in range(num_repeats):
        BlobStore.sync()  # or the ingest's own sync waits for somebody else's data
        load = os.getloadavg()[0]
        ours = timed(lambda: take_in(jobs, upload))
        theirs = timed(lambda: decode_only(images))
        runs.append({"load": load, "ratio": theirs.wall / ours.wall})
        for name, timing in (("ingest", ours), ("image_folder", theirs)):
            runs[-1][f"{name}_images_per_second"] = num_images / timing.wall
            runs[-1][f"{name}_processor_seconds"] = timing.processor
        print(f"run {number + 1}: {runs[-1]}", file=sys.stderr)
    small = first_tenth(upload, folder / "tenth.zip")
    return {
        "num_images": num_images,
        "upload_megabytes": upload.stat().st_size / 1e6,
        "torchvision": torchvision.__version__,
        "runs": runs,
        "median_ratio": statistics.median(run["ratio"] for run in runs),
        "peak_megabytes": {
            "tenth": peak_megabytes(small, folder / "small"),
            "all": peak_megabytes(upload, folder / "large"),
        },
    }


class Timing(NamedTuple):
    """Seconds of one run; the processor's are those of all processes that took part."""

    wall: float
    processor: float


def timed(work: Callable[[], object]) -> Timing:
    """Run once."""
    before, started = _processor_seconds(), time.perf_counter()
    work()
    return Timing(time.perf_counter() - started, _processor_seconds() - before)


def _processor_seconds() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def take_in(jobs: PrivateJobs, upload: Path) -> None:
    """Run a whole ingest; the data set must be new, and so must its blobs."""
    dataset_id = jobs.add_upload(upload)
    jobs.run()
    jobs.dataset(dataset_id)
    for path in jobs.settings.data_dir.glob("blobs/*"):
        path.rename(path.with_name(f"{path.name}-{dataset_id}"))


def decode_only(folder: Path) -> None:
    """Decode every image in two processes and drop it."""
    images = torchvision.datasets.ImageFolder(folder)
    loader = DataLoader(
        images, batch_size=_BATCH_SIZE, num_workers=_NUM_WORKERS, collate_fn=_num_decoded
    )
    if sum(loader) != len(images):
        raise RuntimeError("images got lost")


def _num_decoded(batch: list[Any]) -> int:
    return len(batch)


def unpack(upload: Path, folder: Path) -> tuple[int, Path]:
    """Write the images as files; return how many, and the folder above the classes."""
    with zipfile.ZipFile(upload) as archive:
        archive.extractall(folder)
    files = [path for path in folder.rglob("*") if path.suffix in {".jpg", ".png"}]
    return len(files), files[0].parent.parent


def peak_megabytes(upload: Path, folder: Path) -> float:
    """Run the reading process by itself; return the most memory that it, or a decoder, had."""
    folder.mkdir()
    spec = folder / "spec.json"
    settings = Settings()
    values = {
        "archive": str(upload.resolve()),
        "out_dir": str(folder / "out"),
        "blob_dir": str(folder / "blobs"),
        "image_size": None,
        "name": upload.name,
        "limits": {name: getattr(settings, name) for name in _LIMITS},
    }
    spec.write_text(json.dumps(values))
    command = [sys.executable, "-P", "-m", "worker.stages.ingest.child", str(spec)]
    told = subprocess.run(
        [sys.executable, "-c", _TELL_PEAK, *command],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    return int(told.stdout) / 1024


def first_tenth(upload: Path, target: Path) -> Path:
    """Copy each tenth file of an archive."""
    with zipfile.ZipFile(upload) as source, zipfile.ZipFile(target, "w") as archive:
        for entry in source.infolist()[::10]:
            archive.writestr(entry.filename, source.read(entry))
    return target


def make_upload(path: Path) -> Path:
    """Write JPEGs of noise: harder to decode than photographs of this size."""
    noise = random.Random(0)  # noqa: S311 - not for secrets
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(_NUM_MADE):
            file = io.BytesIO()
            Image.frombytes("RGB", (32, 32), noise.randbytes(32 * 32 * 3)).save(file, "JPEG")
            archive.writestr(f"class-{number % _NUM_CLASSES}/{number:05}.jpg", file.getvalue())
    return path


if __name__ == "__main__":
    main()
