"""How fast an upload is read: the whole ingest beside the least it could do.

The least is unzipping, hashing and decoding every member once, in one process, and storing
nothing. The difference between the two columns is the price of durable blobs, of the cache,
of the checks and of starting a process.

    python -m benchmarks.ingest_speed [UPLOAD.zip] [--repeat N]

Without an upload it makes one of 20,000 JPEGs of 32x32 pixels.
"""

import argparse
import hashlib
import io
import json
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import PIL
from PIL import Image

from app.core.settings import Settings
from app.core.storage import BlobStore

_ROOT = Path(__file__).parent.parent
_NUM_MADE = 20_000
_NUM_CLASSES = 10
_LIMITS = ("max_files", "max_file_bytes", "max_unpacked_bytes", "max_image_pixels")


class Timing(NamedTuple):
    """One run."""

    wall: float
    user: float
    system: float


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("upload", type=Path, nargs="?")
    parser.add_argument("--repeat", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        upload = options.upload or make_upload(Path(folder) / "upload.zip")
        with zipfile.ZipFile(upload) as archive:
            num_images = len(archive.infolist())
        print_header(upload, num_images)
        for number in range(options.repeat):
            ingest = partial(run_ingest, upload, Path(folder) / str(number))
            BlobStore.sync()  # or the ingest's own sync waits for somebody else's data
            print_row("ingest", num_images, timed(ingest, _CHILDREN))
            print_row("decode only", num_images, timed(partial(decode_only, upload), _SELF))


_SELF, _CHILDREN = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN


def timed(work: Callable[[], None], who: int) -> Timing:
    """Run once."""
    before, started = resource.getrusage(who), time.perf_counter()
    work()
    wall, after = time.perf_counter() - started, resource.getrusage(who)
    return Timing(wall, after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime)


def run_ingest(upload: Path, folder: Path) -> None:
    """Start the child process as the supervisor does."""
    folder.mkdir()
    settings = Settings()
    spec = folder / "spec.json"
    spec.write_text(
        json.dumps(
            {
                "archive": str(upload.resolve()),
                "out_dir": str(folder / "out"),
                "blob_dir": str(folder / "blobs"),
                "image_size": None,
                "limits": {name: getattr(settings, name) for name in _LIMITS},
            }
        )
    )
    subprocess.run(
        [sys.executable, "-P", "-m", "worker.ingest", str(spec)],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
    )


def decode_only(upload: Path) -> None:
    """Do the least that any reader of this upload has to do."""
    with zipfile.ZipFile(upload) as archive:
        for entry in archive.infolist():
            data = archive.read(entry)
            hashlib.sha256(data).hexdigest()
            with Image.open(io.BytesIO(data)) as image:
                image.convert("RGB").tobytes()


def make_upload(path: Path) -> Path:
    """Write JPEGs of noise: harder to decode than photographs of this size."""
    noise = random.Random(0)  # noqa: S311 - not for secrets
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(_NUM_MADE):
            file = io.BytesIO()
            Image.frombytes("RGB", (32, 32), noise.randbytes(32 * 32 * 3)).save(file, "JPEG")
            archive.writestr(f"class-{number % _NUM_CLASSES}/{number:05}.jpg", file.getvalue())
    return path


def print_header(upload: Path, num_images: int) -> None:
    """Say what was measured on what."""
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"Python {platform.python_version()}, Pillow {PIL.__version__}")
    print(f"{upload.name}: {num_images:,} files, {upload.stat().st_size / 1e6:.1f} MB\n")
    print(f"{'':12} {'images/s':>10} {'wall s':>8} {'user s':>8} {'sys s':>8}")


def print_row(name: str, num_images: int, timing: Timing) -> None:
    """Print one run."""
    rate = num_images / timing.wall
    print(f"{name:12} {rate:10,.0f}", *(f"{seconds:8.2f}" for seconds in timing))


if __name__ == "__main__":
    main()
