"""Class folders with a table beside them, for torchvision and for Hugging Face `datasets`."""

from pathlib import Path

from worker.exporter.job import ExportJob, Row
from worker.exporter.placing import Placing
from worker.exporter.spreadsheet import Cell, harmless_path, write_csv
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
        splits = set()
        for row in job.rows():
            splits.add(row.split)
            folder = placing.folder_of_split(row.split)
            archive.add(folder + placing.below_split(row), job.image(row))
        for split in sorted(splits):
            table = job.out_dir / f"{split}-{METADATA}"
            _write_metadata(job, placing, split, table)
            archive.add_file(placing.folder_of_split(split) + METADATA, table)


def _write_metadata(job: ExportJob, placing: Placing, split: str, target: Path) -> None:
    rows = (_metadata(job, placing, row) for row in job.rows() if row.split == split)
    with target.open("w", encoding="utf-8", newline="") as file:
        write_csv(file, METADATA_COLUMNS, rows)


def _metadata(job: ExportJob, placing: Placing, row: Row) -> dict[str, Cell]:
    return {
        **described(job, row),
        "file_name": harmless_path(placing.below_split(row)),
        "decision": row.decision or _UNDECIDED,
    }
