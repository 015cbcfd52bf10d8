"""Files that mean harm or nonsense, each with the code it has to get.

`python -m tests.worker.ingest.hostile FOLDER` makes all of them there and ingests each behind
the walls of the real process; the last line says how much memory that took.
"""

import gzip
import io
import json
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from PIL import Image, PngImagePlugin

from app.core.storage import BlobStore
from tests.worker.ingest.formats import (
    arrays_of,
    csv_table,
    flat_files,
    hugging_face,
    images,
    json_lines,
    pixels,
    rows,
)
from tests.worker.ingest.making import (
    LIMITS,
    encoded,
    make_tar,
    make_zip,
    picture,
    png,
    run,
    tar_entry,
    tar_with,
    two_classes,
    zip_with_edited,
    zip_with_link,
    zip_with_twin,
)
from worker.ingest.errors import IngestError
from worker.ingest.limits import confine_process, cpu_budget_seconds

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


DEEP = b"[" * 100_000
ODD = "cat/odd"
ARCHIVES: dict[str, tuple[Make, str]] = {
    "zip slip": (member("../../evil.png"), "unsafe_name"),
    "absolute name": (member("/tmp/evil.png"), "unsafe_name"),  # noqa: S108 - never written
    "drive": (member("C:/evil.png"), "unsafe_name"),
    "backslash": (member("cat\\..\\evil.png"), "unsafe_name"),
    "name of 300 bytes": (member(f"cat/{'n' * 300}.png"), "unsafe_name"),
    "name with an escape": (member("cat/\x1b[2J.png"), "unsafe_name"),
    "name written backwards": (member("cat/gnp.\u202eexe"), "unsafe_name"),
    "40 folders deep": (member("a/" * 40 + "x.png"), "unsafe_name"),
    "name twice": (zip_with_twin, "duplicate_name"),
    "name in capitals": (member("cat/1.PNG"), "duplicate_name"),
    "link in a zip": (zip_with_link, "not_a_regular_file"),
    "encrypted": (fields(local={6: b"\x01"}, central={8: b"\x01"}), "encrypted"),
    "unknown compression": (
        fields(local={8: b"\x09"}, central={10: b"\x09"}), "unsupported_compression",
    ),
    "zip in the zip": (member("cat/more.zip", nested(3)), "nested_archive"),
    "overlapping entries": (overlapping, "suspicious_archive"),
    "two names for one file": (fields(local={30: b"dog"}, central={}), "suspicious_archive"),
    "two checksums": (fields(local={14: b"1234"}, central={}), "suspicious_archive"),
    "two sizes": (fields(local={22: b"\x01\0\0\0"}, central={}), "suspicious_archive"),
    "data behind the zip": (changed(zipped(), lambda z: z + b"x"), "suspicious_archive"),
    "data before the zip": (changed(zipped(), lambda z: b"#!/bin/sh\n" + z), "suspicious_archive"),
    "two zips": (changed(zipped(), lambda z: z + z), "suspicious_archive"),
    "zip and tar": (
        lambda path: path.write_bytes(
            make_tar(path, two_classes()).read_bytes() + make_zip(path, two_classes()).read_bytes()
        ),
        "suspicious_archive",
    ),
    "zeros in a zip": (
        zipped(**{f"cat/{n}0.png": bytes(33 * MIB) for n in range(2)}), "suspicious_archive",
    ),
    "1,001 empty files": (
        zipped(**{f"cat/{n}.png": b"" for n in range(3, 1002)}), "too_many_files",
    ),
    "zip cut off": (changed(zipped(), lambda z: z[:-40]), "truncated_archive"),
    "hard link": (entry_of(tarfile.LNKTYPE), "not_a_regular_file"),
    "symbolic link": (entry_of(tarfile.SYMTYPE, link="/etc/passwd"), "not_a_regular_file"),
    "character device": (entry_of(tarfile.CHRTYPE), "not_a_regular_file"),
    "block device": (entry_of(tarfile.BLKTYPE), "not_a_regular_file"),
    "FIFO": (entry_of(tarfile.FIFOTYPE), "not_a_regular_file"),
    "sparse file": (entry_of(tarfile.GNUTYPE_SPARSE), "not_a_regular_file"),
    "tar slip": (entry_of(tarfile.REGTYPE, "../../evil.png"), "unsafe_name"),
    "tar cut off": (
        changed(lambda path: make_tar(path, two_classes()), lambda t: t[:1500]),
        "truncated_archive",
    ),
    "data behind the tar": (
        changed(lambda path: make_tar(path, two_classes()), lambda t: t + b"x" * 512),
        "suspicious_archive",
    ),
    "tar header changed": (
        changed(lambda path: make_tar(path, two_classes()), lambda t: t[:1030] + b"?" + t[1031:]),
        "corrupt_archive",
    ),
    "gzip cut off": (
        changed(lambda path: make_tar(path, two_classes(), mode="w:gz"), lambda t: t[:-20]),
        "truncated_archive",
    ),
    "gzip of text": (data(gzip.compress(b"just text" * 99)), "unknown_archive"),
    "zeros in a gzip": (data(gzip.compress(bytes(70 * MIB), 1)), "suspicious_archive"),
    "zstd cut off": (data(zstandard.compress(noise("BMP"))[:-20]), "truncated_archive"),
    "zstd changed": (data(zstandard.compress(b"x" * 999)[:-3] + b"???"), "corrupt_archive"),
    "zstd of text": (data(zstandard.compress(b"just text" * 99)), "unknown_archive"),
    "zeros in a zstd": (data(zstandard.compress(bytes(70 * MIB))), "suspicious_archive"),
    "7z": (data(b"7z\xbc\xaf\x27\x1c" + bytes(99)), "unknown_archive"),
    "RAR": (data(b"Rar!\x1a\x07" + bytes(99)), "unknown_archive"),
    "xz": (data(b"\xfd7zXZ\0" + bytes(99)), "unknown_archive"),
    "text": (data(b"just text"), "unknown_archive"),
    "nothing": (data(b""), "unknown_archive"),
}  # fmt: skip
IMAGES: dict[str, tuple[Make, str]] = {
    "JPEG cut off": (image(noise("JPEG")[:-900]), "truncated_image"),
    "PNG cut off": (image(noise("PNG")[:-900]), "truncated_image"),
    "WebP cut off": (image(noise("WEBP")[:-900]), "truncated_image"),
    "PNG changed": (image(damaged_png()), "broken_image"),
    "PNG of 50,000 x 50,000": (image(png_of_size(50_000, 50_000)), "image_too_large"),
    "PNG of one long row": (image(png_of_size(70_000, 1)), "image_too_large"),
    "PNG text bomb": (image(png_text_bomb()), "broken_image"),
    "JPEG of 501 scans": (
        image(b"\xff\xd8\xff\xe0" + b"\xff\xda\0\x02" * 501), "broken_image",
    ),
    "EPS": (image(b"%!PS-Adobe-3.0 EPSF-3.0\n(id) run"), "unsupported_format"),
    "SVG": (image(b'<svg xmlns="http://www.w3.org/2000/svg"></svg>'), "unsupported_format"),
    "TIFF": (image(noise("TIFF")), "unsupported_format"),
    "GIF": (image(noise("GIF")), "unsupported_format"),
    "PDF": (image(b"%PDF-1.7\n"), "unsupported_format"),
    "HEIF": (image(b"\0\0\0\x18ftypheic" + bytes(99)), "unsupported_format"),
    "HTML": (image(b"<script>alert(1)</script>"), "not_an_image"),
    "empty image": (image(b""), "not_an_image"),
}  # fmt: skip
TABLES: dict[str, tuple[Make, str]] = {
    "CSV of 1,000,000 columns": (table("labels.csv", b"path,label" + b",x" * MIB), "invalid_table"),
    "CSV with a NUL": (table("labels.csv", b"path,label\na\0,b\n"), "invalid_table"),
    "CSV that is no UTF-8": (table("labels.csv", b"path,label\n\xff\xfe,b\n"), "invalid_table"),
    "CSV with an endless cell": (
        table("labels.csv", csv_table(rows()) + b"x" * MIB), "invalid_table",
    ),
    "CSV with an open quote": (table("labels.csv", csv_table(rows()) + b'"x,'), "invalid_table"),
    "CSV with a short row": (table("labels.csv", csv_table(rows()) + b"x\n"), "invalid_table"),
    "CSV with a long row": (table("labels.csv", csv_table(rows()) + b"a,b,c,d\n"), "invalid_table"),
    "CSV of 1,001 rows": (
        table("labels.csv", csv_table(rows()) + b"a,b,train\n" * 1000), "invalid_table",
    ),
    "empty CSV": (table("labels.csv", b""), "invalid_table"),
    "JSON lines with a list": (table("x.jsonl", json_lines(rows()) + b"\n[]"), "invalid_table"),
    "JSON lines cut off": (table("x.jsonl", json_lines(rows())[:-3]), "invalid_table"),
    "deep JSON lines": (table("x.jsonl", json_lines(rows()) + b"\n" + DEEP), "invalid_table"),
    "deep JSON": (table("metadata.json", DEEP), "invalid_table"),
    "Parquet cut off": (data(hugging_face(images())[:-9]), "invalid_table"),
    "Parquet with a footer of 4 GB": (tail(b"\xff\xff\xff\xffPAR1"), "invalid_table"),
    "Parquet with another footer": (tail(b"\x20\0\0\0PAR1"), "invalid_table"),
    "Parquet changed": (
        changed(data(hugging_face(images())), lambda p: p[:4] + b"?" * 400 + p[404:]),
        "invalid_table",
    ),
    "Parquet without labels": (
        lambda path: pq.write_table(pa.table({"image": [b"x"]}), path), "invalid_table",
    ),
    "Parquet of 2 GB in 1 MB": (parquet_bomb, "invalid_table"),
    "Parquet of 1,001 rows": (data(hugging_face(images() * 84)), "too_many_files"),
}  # fmt: skip
ARRAYS: dict[str, tuple[Make, str]] = {
    "array of 500 GB": (header_npz("(500000000000,)"), "invalid_arrays"),
    "array of objects": (header_npz("(12,)", "'|O'"), "invalid_arrays"),
    "array with a program for a header": (
        header_npz("__import__('os').system('id')"), "invalid_arrays",
    ),
    "array of less than nothing": (header_npz("(-12, 10, 12, 3)"), "invalid_arrays"),
    "images of floats": (arrays(images=np.zeros((12, 8, 8))), "invalid_arrays"),
    "images in Fortran order": (
        arrays(images=np.asfortranarray(pixels(images()))), "invalid_arrays",
    ),
    "images of two channels": (arrays(images=np.zeros((12, 8, 8, 2), np.uint8)), "invalid_arrays"),
    "images of no pixels": (arrays(images=np.zeros((12, 0, 8), np.uint8)), "invalid_arrays"),
    "too few labels": (arrays(labels=np.zeros(11, np.int64)), "invalid_arrays"),
    "labels of floats": (arrays(labels=np.zeros(12)), "invalid_arrays"),
    "no labels": (arrays(labels=None), "invalid_arrays"),
    "class names of numbers": (arrays(class_names=np.zeros(2)), "invalid_arrays"),
    "class names alike": (arrays(class_names=np.array(["a", "a"])), "invalid_arrays"),
    "1,001 images": (
        arrays(images=np.zeros((1001, 8, 8), np.uint8), labels=np.zeros(1001, np.int64)),
        "too_many_files",
    ),
}  # fmt: skip
CORPUS = {**ARCHIVES, **IMAGES, **TABLES, **ARRAYS}


def outcome(path: Path) -> list[str]:
    """Return the code of the whole upload, or those of its files."""
    try:
        return sorted({row["code"] for row in run(path).rejected})
    except IngestError as error:
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
    BlobStore.sync = staticmethod(lambda: None)  # type: ignore[method-assign]  # not what is tested
    confine_process(LIMITS, cpu_seconds=cpu_budget_seconds(0))
    for number, name in enumerate(CORPUS):
        print(json.dumps({"name": name, "codes": outcome(folder / str(number))}))  # noqa: T201 - read by the test
    print(json.dumps({"peak_kib": peak_kib()}))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
