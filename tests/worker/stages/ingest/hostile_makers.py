"""What writes a file that means harm or nonsense."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, PngImagePlugin

from tests.worker.stages.ingest.formats import (
    arrays_of,
    flat_files,
    hugging_face,
    images,
    pixels,
)
from tests.worker.stages.ingest.making import (
    encoded,
    make_zip,
    picture,
    png,
    tar_entry,
    tar_with,
    two_classes,
    zip_with_edited,
)

Make = Callable[[Path], object]
MIB = 1024**2


def data(content: bytes) -> Make:
    return lambda path: path.write_bytes(content)


def zipped(**files: bytes) -> Make:
    return lambda path: make_zip(path, {**two_classes(), **files})


def member(name: str, content: bytes | None = None) -> Make:
    return zipped(**{name: png(9) if content is None else content})


def image(content: bytes) -> Make:
    return member("cat/odd.png", content)


def table(name: str, content: bytes) -> Make:
    return lambda path: make_zip(path, {**flat_files(), name: content})


def arrays(**changed: Any) -> Make:
    named = {"images": pixels(images()), "labels": np.arange(12) % 2} | changed
    files = arrays_of({name: array for name, array in named.items() if array is not None})
    return lambda path: make_zip(path, files)


def entry_of(kind: bytes, name: str = "cat/odd.png", link: str = "cat/1.png") -> Make:
    return lambda path: tar_with(path, (tar_entry(name, 0, kind, link), b""))


def changed(make: Make, change: Callable[[bytes], bytes]) -> Make:
    def write(path: Path) -> None:
        make(path)
        path.write_bytes(change(path.read_bytes()))

    return write


def fields(*, local: dict[int, bytes], central: dict[int, bytes]) -> Make:
    return lambda path: zip_with_edited(path, local=local, central=central)


def overlapping(path: Path) -> None:
    """A hundred entries share one block of 10 MB."""
    make_zip(path, {"cat/000.png": bytes(10 * MIB)})
    whole = path.read_bytes()
    start = whole.index(b"PK\x01\x02")
    entry = whole[start : whole.rindex(b"PK\x05\x06")]
    entries = b"".join(entry.replace(b"/000", f"/{n:03}".encode()) for n in range(100))
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 100, 100, len(entries), start, 0)
    path.write_bytes(whole[:start] + entries + end)


def nested(depth: int) -> bytes:
    content = bytes(MIB)
    for level in range(depth):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for n in range(4):
                archive.writestr(f"{level}-{n}.zip", content)
        content = file.getvalue()
    return content


def png_of_size(width: int, height: int) -> bytes:
    """A header that announces far more than follows."""
    head = struct.pack(">2L5B", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(bytes(99))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">L", len(body)) + kind + body + struct.pack(">L", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def png_text_bomb() -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("comment", "0" * (80 * MIB), zip=True)
    return encoded(picture(1), pnginfo=info)


def damaged_png() -> bytes:
    whole = bytearray(png(1, width=90, height=90))
    whole[60:90] = bytes(30)
    return bytes(whole)


def noise(file_format: str) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    return encoded(Image.fromarray(pixels), file_format)


def npy(header: str, content: bytes = b"") -> bytes:
    body = header.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(body)) + body + content


def header_npz(shape: str, descr: str = "'|u1'") -> Make:
    head = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"
    labels = arrays_of({"labels": np.arange(12)})
    return lambda path: make_zip(path, {"images.npy": npy(head), **labels})


def parquet_bomb(path: Path) -> None:
    """Two gigabytes of zeros in a row group, as a few hundred kilobytes."""
    zeros = bytes(16 * MIB)
    cells = pa.array([{"bytes": zeros, "path": None}] * 4)
    schema = pa.schema({"image": cells.type, "label": pa.string()})
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=False) as writer:
        batch = pa.table({"image": pa.chunked_array([cells] * 32), "label": ["a", "b"] * 64})
        writer.write_table(batch, row_group_size=128)


def tail(content: bytes) -> Make:
    return changed(data(hugging_face(images())), lambda whole: whole[:-8] + content)
