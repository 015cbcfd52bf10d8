"""Images, tables and arrays that mean harm or nonsense, each with the code it has to get."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.worker.stages.ingest.formats import (
    csv_table,
    hugging_face,
    images,
    json_lines,
    pixels,
    rows,
)
from tests.worker.stages.ingest.hostile_makers import (
    MIB,
    Make,
    arrays,
    changed,
    damaged_png,
    data,
    header_npz,
    image,
    noise,
    parquet_bomb,
    png_of_size,
    png_text_bomb,
    table,
    tail,
)

DEEP = b"[" * 100_000
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
