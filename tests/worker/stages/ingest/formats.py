"""The same twelve images, as every tool would hand them over."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from PIL import Image

from tests.worker.stages.ingest.making import Files, make_tar, make_zip, png

CLASSES = ("cat", "dog")


@dataclass(frozen=True, slots=True)
class Labelled:
    """One image of the set."""

    split: str
    label: str
    file: str
    data: bytes


def images() -> list[Labelled]:
    return [
        Labelled(split, label, f"{split}-{label}-{number}.png", png(40 * place + number))
        for place, (split, label) in enumerate(
            (split, label) for split in ("train", "test") for label in CLASSES
        )
        for number in range(3)
    ]


def class_folders() -> dict[str, bytes]:
    return {f"{i.split}/{i.label}/{i.file}": i.data for i in images()}


def flat_files() -> dict[str, bytes]:
    return {f"images/{i.file}": i.data for i in images()}


def csv_table(rows: list[dict[str, Any]], delimiter: str = ",") -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def json_lines(rows: list[dict[str, Any]]) -> bytes:
    return "\n".join(map(json.dumps, rows)).encode()


def rows(path: str = "path", label: str = "label", split: str = "split") -> list[dict[str, Any]]:
    return [{path: f"images/{i.file}", label: i.label, split: i.split} for i in images()]


def parquet_of(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=5)
    return file.getvalue()


def hugging_face(of: list[Labelled], *, with_paths: bool = True) -> bytes:
    """As `datasets` writes it: numbers for labels, names in the schema's metadata."""
    image = pa.array(
        [{"bytes": i.data, "path": i.file if with_paths else None} for i in of],
        pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
    )
    label = pa.array([CLASSES.index(i.label) for i in of], pa.int64())
    features = {
        "image": {"_type": "Image"},
        "label": {"names": list(CLASSES), "_type": "ClassLabel"},
    }
    table = pa.table({"image": image, "label": label})
    told = json.dumps({"info": {"features": features}})
    return parquet_of(table.replace_schema_metadata({"huggingface": told}))


def arrays_of(named: dict[str, Any]) -> Files:
    """The members of an npz."""
    files = {}
    for name, array in named.items():
        file = io.BytesIO()
        np.save(file, array)
        files[f"{name}.npy"] = file.getvalue()
    return files


def pixels(of: list[Labelled]) -> Any:
    return np.stack([np.asarray(Image.open(io.BytesIO(i.data))) for i in of])


def medmnist() -> Files:
    named: dict[str, Any] = {"class_names": np.array(CLASSES)}
    for split in ("train", "test"):
        of = [i for i in images() if i.split == split]
        named[f"{split}_images"] = pixels(of)
        named[f"{split}_labels"] = np.array([[CLASSES.index(i.label)] for i in of])
    return arrays_of(named)


def label_studio() -> bytes:
    """Uploaded files have eight digits before their name; two skipped and three decided."""
    tasks = []
    for number, i in enumerate(images()):
        url = f"/data/upload/7/{number:08x}-{i.file}"
        others = next(name for name in CLASSES if name != i.label)
        tasks.append(
            {
                "id": number,
                "data": {"image": url},
                "annotations": [
                    {"was_cancelled": skipped, "result": [choice(name)]}
                    for name, skipped in [(others, True)] * 2
                    + [(others, False)]
                    + [(i.label, False)] * 2
                ],
            }
        )
    return json.dumps(tasks).encode()


def choice(name: str) -> dict[str, Any]:
    return {
        "type": "choices", "from_name": "choice", "to_name": "image", "value": {"choices": [name]},
    }  # fmt: skip


def _zstd_tar(path: Path, files: Files) -> Path:
    data = make_tar(path, files).read_bytes()
    path.write_bytes(zstandard.compress(data))
    return path


def _zip_with(table: str, content: bytes) -> Callable[[Path], Path]:
    return lambda path: make_zip(path, {**flat_files(), table: content})


def _imagefolder(ending: str, write: Callable[[list[dict[str, Any]]], bytes]) -> Files:
    files: dict[str, bytes] = {}
    for split in ("train", "test"):
        of = [i for i in images() if i.split == split]
        files |= {f"set/{split}/{i.file}": i.data for i in of}
        table = [{"file_name": i.file, "label": i.label} for i in of]
        files[f"set/{split}/metadata.{ending}"] = write(table)
    return files


def _parquet_rows(table: list[dict[str, Any]]) -> bytes:
    return parquet_of(pa.Table.from_pylist(table))


def _shards(path: Path) -> Path:
    of = {s: [i for i in images() if i.split == s] for s in ("train", "test")}
    names = {s: f"pets/data/{s}-00000-of-00001.parquet" for s in of}
    return make_zip(
        path, {"pets/README.md": b"# Pets"} | {names[s]: hugging_face(of[s]) for s in of}
    )


def _bare_parquet(path: Path) -> Path:
    table = pa.table(
        {
            "image": [{"bytes": i.data, "path": i.file} for i in images()],
            "label": [i.label for i in images()],
            "split": [i.split for i in images()],
        }
    )
    path.write_bytes(parquet_of(table))
    return path


FORMATS: dict[str, Callable[[Path], Path]] = {
    "tar": lambda path: make_tar(path, class_folders()),
    "tar.gz": lambda path: make_tar(path, class_folders(), mode="w:gz"),
    "tar.zst": lambda path: _zstd_tar(path, class_folders()),
    "csv": _zip_with("labels.csv", csv_table(rows())),
    "csv with semicolons": _zip_with("labels.csv", csv_table(rows(), ";")),
    "csv with a byte order mark": _zip_with("x.csv", b"\xef\xbb\xbf" + csv_table(rows())),
    "tsv": _zip_with("list.tsv", csv_table(rows("image", "class"), "\t")),
    "jsonl": _zip_with("labels.jsonl", json_lines(rows())),
    "json": _zip_with("labels.json", json.dumps(rows()).encode()),
    "parquet table": _zip_with("labels.parquet", _parquet_rows(rows())),
    "imagefolder csv": lambda path: make_zip(path, _imagefolder("csv", csv_table)),
    "imagefolder jsonl": lambda path: make_tar(path, _imagefolder("jsonl", json_lines)),
    "imagefolder parquet": lambda path: make_zip(path, _imagefolder("parquet", _parquet_rows)),
    "hugging face shards": _shards,
    "parquet": _bare_parquet,
}
"""All but those in which names are lost: npz, and Label Studio where the split is."""
