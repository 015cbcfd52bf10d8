"""Small archives and images for the tests, and what an ingest made of them."""

import io
import json
import random
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from worker.files.errors import FailureCode, UploadError
from worker.files.limits import Limits
from worker.stages.ingest.columns import Columns
from worker.stages.ingest.pipeline import Spec, ingest

Files = Mapping[str, bytes]

NO_COLUMNS = Columns()
LIMITS = Limits(
    max_files=1000,
    max_file_bytes=64 * 1024**2,
    max_unpacked_bytes=1024**3,
    max_image_pixels=50_000_000,
)


def encoded(image: Image.Image, file_format: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def picture(shade: int, *, width: int = 12, height: int = 10) -> Image.Image:
    """A gradient, so that turning or mixing up pictures shows."""
    image = Image.new("RGB", (width, height))
    image.putdata(
        [
            (shade % 256, x * 255 // width, y * 255 // height)
            for y in range(height)
            for x in range(width)
        ]
    )
    return image


def pattern(number: int, *, width: int = 12, height: int = 10) -> Image.Image:
    """Noise of coarse blocks: no two numbers look alike."""
    blocks = random.Random(number).randbytes(4 * 4 * 3)  # noqa: S311 - a picture, no secret
    image = Image.frombytes("RGB", (4, 4), blocks)
    return image.resize((width, height), Image.Resampling.NEAREST)


def png(number: int, **size: int) -> bytes:
    return encoded(pattern(number, **size))


def two_classes() -> dict[str, bytes]:
    """The smallest set that can be audited."""
    return {
        "cat/1.png": png(1),
        "cat/2.png": png(2),
        "dog/1.png": png(3),
        "dog/2.png": png(4),
    }


def below(folder: str, files: Files) -> dict[str, bytes]:
    return {f"{folder}/{name}": data for name, data in files.items()}


def make_zip(path: Path, files: Files, *, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def make_tar(path: Path, files: Files, *, mode: str = "w") -> Path:
    return tar_of(path, [(tar_entry(name, len(data)), data) for name, data in files.items()], mode)


def tar_entry(
    name: str, size: int = 0, kind: bytes = tarfile.REGTYPE, link: str = ""
) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.type, entry.linkname = size, kind, link
    return entry


def tar_of(path: Path, entries: Iterable[tuple[tarfile.TarInfo, bytes]], mode: str = "w") -> Path:
    with path.open("wb") as file, tarfile.open(fileobj=file, mode=mode) as archive:  # type: ignore[call-overload]  # mode is a variable
        for entry, data in entries:
            archive.addfile(entry, io.BytesIO(data))
    return path


def tar_with(path: Path, *extra: tuple[tarfile.TarInfo, bytes]) -> Path:
    """A good tar with these entries before the others."""
    good = [(tar_entry(name, len(data)), data) for name, data in two_classes().items()]
    return tar_of(path, [*extra, *good])


def zip_with_link(path: Path, name: str = "cat/link.png") -> Path:
    """A good zip with a symbolic link to what nobody may read."""
    link = zipfile.ZipInfo(name)
    link.create_system, link.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(make_zip(path, two_classes()), "a") as archive:
        archive.writestr(link, "/etc/passwd")
    return path


def zip_with_twin(path: Path, name: str = "cat/1.png") -> Path:
    """A good zip that holds one name twice."""
    with warnings.catch_warnings(), zipfile.ZipFile(make_zip(path, two_classes()), "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr(name, png(99))
    return path


def zip_with_edited(
    path: Path, *, local: Mapping[int, bytes], central: Mapping[int, bytes]
) -> Path:
    """A zip of which one member's headers were changed, by the offsets of their fields."""
    make_zip(path, {**two_classes(), "cat/3.png": png(99)})
    edit_zip(path, "cat/3.png", local=local, central=central)
    return path


@dataclass(frozen=True, slots=True)
class Result:
    """What an ingest left behind."""

    out_dir: Path
    blob_dir: Path
    summary: dict[str, Any]
    samples: list[dict[str, Any]]
    rejected: list[dict[str, str]]
    events: list[tuple[float, float]]

    @property
    def cache(self) -> bytes:
        return (self.out_dir / f"images-{self.summary['image_size']}.u8").read_bytes()

    @property
    def codes(self) -> dict[str, str]:
        return {row["path"]: row["code"] for row in self.rejected}

    @property
    def paths(self) -> list[str]:
        return [row["path"] for row in self.samples]

    def row(self, position: int) -> Image.Image:
        side = self.summary["image_size"]
        size = side * side * 3
        return Image.frombytes("RGB", (side, side), self.cache[position * size :][:size])


def run(
    archive: Path,
    *,
    image_size: int | None = None,
    limits: Limits = LIMITS,
    columns: Columns = NO_COLUMNS,
    name: str = "upload",
) -> Result:
    """Ingest into new folders beside the archive."""
    out_dir = archive.with_name(f"{archive.name}-out")
    blob_dir = archive.with_name(f"{archive.name}-blobs")
    events: list[tuple[float, float]] = []
    spec = Spec(
        archive=archive,
        out_dir=out_dir,
        blob_dir=blob_dir,
        image_size=image_size,
        limits=limits,
        columns=columns,
        name=name,
    )
    ingest(spec, safe_point=lambda: None, emit=lambda *event: events.append(event))
    return Result(
        out_dir=out_dir,
        blob_dir=blob_dir,
        summary=json.loads((out_dir / "summary.json").read_text()),
        samples=_lines(out_dir / "samples.jsonl"),
        rejected=_lines(out_dir / "rejected.jsonl"),
        events=events,
    )


def failure(archive: Path, limits: Limits = LIMITS) -> FailureCode:
    """Ingest what cannot be taken; return why."""
    with pytest.raises(UploadError) as caught:
        run(archive, limits=limits)
    assert caught.value.detail.endswith(".")
    assert str(archive.parent) not in caught.value.detail
    return caught.value.code


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def edit_zip(
    path: Path, name: str, *, local: Mapping[int, bytes], central: Mapping[int, bytes]
) -> None:
    """Overwrite fields of one member's two headers, by their offset in the header."""
    with zipfile.ZipFile(path) as archive:
        local_at = archive.getinfo(name).header_offset
        central_at = archive.start_dir
    data = bytearray(path.read_bytes())
    while not data[central_at + 46 :].startswith(name.encode()):
        lengths = struct.unpack_from("<3H", data, central_at + 28)
        central_at += 46 + sum(lengths)
    for start, edits in ((local_at, local), (central_at, central)):
        for offset, value in edits.items():
            data[start + offset : start + offset + len(value)] = value
    path.write_bytes(data)
