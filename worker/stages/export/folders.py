"""Class folders with a table beside them, for torchvision and for Hugging Face `datasets`."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from app.models import Split
from worker.files.names import is_system_file, normal_form
from worker.stages.export.job import ExportJob, Row
from worker.stages.export.parquet import NAMED_TYPES, RowWriter, named
from worker.stages.export.zip_writer import ZipWriter
from worker.stages.ingest.layout import Layout, recognise_layout

METADATA = "metadata.parquet"
_FILE = "file_name"
_UNSAFE = frozenset('%/\\<>:"|?*')
_NO_NAME = "%00"
_UNSAFE_AT_THE_END = (".", " ")
_RESERVED = re.compile(r"con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]", re.IGNORECASE)
"""Devices of Windows, whatever follows the first dot."""
_SCHEMA = pa.schema([(_FILE, pa.string()), *NAMED_TYPES.items()])


def write_imagefolder(job: ExportJob, target: Path) -> None:
    """Write `[train|test/]<class>/<file>`, and in each split's folder a `metadata.parquet`.

    Where there is a table, `datasets` takes no label from folders. Of the tables that it knows only
    Parquet has types: in CSV it takes a class `NA` for nothing and `00000` for 0, in JSON lines
    `2020-01-01` for a date, and it fails where the types of two splits differ.
    """
    placing = Placing(job)
    with ZipWriter(target) as archive:
        with _Tables(job.out_dir) as tables:
            for row in job.rows():
                name = placing.below_split(row)
                archive.add(placing.folder_of_split(row.split) + name, job.image(row))
                tables.write(row.split, {_FILE: name, **named(job, row)})
        for split, table in tables.files.items():
            archive.add_file(placing.folder_of_split(split) + METADATA, table)


class _Tables(ExitStack):
    """One table for each split that has samples."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.files: dict[str, Path] = {}
        self._folder = folder
        self._writers: dict[str, RowWriter] = {}

    def write(self, split: str, values: Mapping[str, Any]) -> None:
        if split not in self._writers:
            self.files[split] = self._folder / f"{split}-{METADATA}"
            self._writers[split] = self.enter_context(RowWriter(self.files[split], _SCHEMA))
        self._writers[split].write(values)


class Placing:
    """Keeps every file where it was below its class folder, so that it can be taken in again."""

    def __init__(self, job: ExportJob) -> None:
        """Look through all paths once."""
        splits: set[str] = set()
        self._layout: Layout = recognise_layout(_noting(job.places(), splits))
        self._folders = folder_names(job.classes)
        self._given = [normal_form(name) for name in job.classes]
        self._has_splits = job.options.split is None and splits != {Split.TRAIN.value}

    def folder_of_split(self, split: str) -> str:
        """Return the folder of a split, with a slash at its end; empty where all is one split."""
        return f"{split}/" if self._has_splits else ""

    def below_split(self, row: Row) -> str:
        """Return `<class>/<file>` for the label that goes out."""
        file = self._file(row)
        if row.changed:
            # Two classes may have files of one name. Only this very sample has this id.
            path = PurePosixPath(file)
            file = str(path.with_name(f"{path.stem}.{row.sample_id}{path.suffix}"))
        return f"{self._folders[row.label]}/{file}"

    def _file(self, row: Row) -> str:
        place = self._layout.place(row.path)
        if place is not None and place.class_name == self._given[row.given_label]:
            return place.file
        return row.path.lstrip("/")


def _noting(places: Iterable[tuple[str, str]], splits: set[str]) -> Iterator[str]:
    for path, split in places:
        splits.add(split)
        yield path


def folder_names(classes: Sequence[str]) -> list[str]:
    """Return a folder name for each class: the same name wherever every system can have it.

    What some system cannot have is written as in URLs, so that unquoting gives the class back. Of
    classes that differ in case only, all but the first are written so as a whole.
    """
    taken: set[str] = set()
    folders = []
    for name in classes:
        folder = _escaped(name) or _NO_NAME
        if folder.casefold() in taken:
            folder = "".join(map(_percent, name))
        taken.add(folder.casefold())
        folders.append(folder)
    return folders


def _escaped(name: str) -> str:
    unsafe_at = {place for place, char in enumerate(name) if char in _UNSAFE}
    unsafe_at |= {place for place, char in enumerate(name) if not char.isprintable()}
    if _RESERVED.fullmatch(name.partition(".")[0].rstrip()) or is_system_file(name):
        unsafe_at.add(0)
    if name.endswith(_UNSAFE_AT_THE_END):
        unsafe_at.add(len(name) - 1)
    return "".join(
        _percent(char) if place in unsafe_at else char for place, char in enumerate(name)
    )


def _percent(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode())
