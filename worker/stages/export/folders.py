"""Class folders with a table beside them, for torchvision and for Hugging Face `datasets`."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa

from worker.stages.export.job import ExportJob
from worker.stages.export.parquet import NAMED_TYPES, RowWriter, named
from worker.stages.export.placing import Placing
from worker.stages.export.zip_writer import ZipWriter

METADATA = "metadata.parquet"
_FILE = "file_name"
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
