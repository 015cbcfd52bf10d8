"""Class folders with a table beside them, for torchvision and for Hugging Face `datasets`."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from worker.exporter.job import ExportJob, Row
from worker.exporter.placing import Placing
from worker.exporter.spreadsheet import Cell, CsvWriter, harmless_path, open_csv
from worker.exporter.tables import described
from worker.exporter.zip_writer import ZipWriter

METADATA = "metadata.csv"
METADATA_COLUMNS = (
    "file_name", "label", "sample_id", "path", "split", "given_label", "label_source", "decision",
    "excluded", "p_mislabeled",
)  # fmt: skip
"""`datasets` guesses types from the first rows of each table, and fails where the next differ: no
text here is ever empty. The export as JSON lines has the rest."""
_UNDECIDED = "none"


def write_imagefolder(job: ExportJob, target: Path) -> None:
    """Write `[train|test/]<class>/<file>`, and in each split's folder a `metadata.csv`.

    The table has a column `label`: where there is a table, `datasets` takes no label from folders.
    """
    placing = Placing(job)
    with ZipWriter(target) as archive:
        with _Tables(job.out_dir) as tables:
            for row in job.rows():
                name = placing.below_split(row)
                archive.add(placing.folder_of_split(row.split) + name, job.image(row))
                tables.write(row.split, _metadata(job, row, name))
        for split, table in tables.files.items():
            archive.add_file(placing.folder_of_split(split) + METADATA, table)


class _Tables(ExitStack):
    """One table for each split that has samples."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.files: dict[str, Path] = {}
        self._folder = folder
        self._writers: dict[str, CsvWriter] = {}

    def write(self, split: str, row: Mapping[str, Cell]) -> None:
        if split not in self._writers:
            self.files[split] = self._folder / f"{split}-{METADATA}"
            file = self.enter_context(open_csv(self.files[split]))
            self._writers[split] = CsvWriter(file, METADATA_COLUMNS)
        self._writers[split].write(row)


def _metadata(job: ExportJob, row: Row, name: str) -> dict[str, Cell]:
    return {
        **described(job, row),
        "file_name": harmless_path(name),
        "decision": row.decision or _UNDECIDED,
    }
