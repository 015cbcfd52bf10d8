"""Where a sample goes in a tree of class folders."""

from pathlib import PurePosixPath

from worker.exporter.job import ExportJob, Row
from worker.ingest.layout import Layout, recognise_layout
from worker.ingest.names import normal_form

_UNSAFE = frozenset("/\\")


class Placing:
    """Keeps every file where it was below its class folder, so that it can be taken in again."""

    def __init__(self, job: ExportJob) -> None:
        """Look through all paths once."""
        self._job = job
        self._layout: Layout = recognise_layout(job.paths())
        self._folders = [folder_name(name) for name in job.classes]
        self.has_splits = job.options.split is None and bool(self._other_splits())

    def folder_of_split(self, split: str) -> str:
        """Return the folder of a split, with a slash at its end; empty where all is one split."""
        return f"{split}/" if self.has_splits else ""

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
        given = normal_form(self._job.classes[row.given_label])
        if place is not None and place.class_name == given:
            return place.file
        return row.path.lstrip("/")

    def _other_splits(self) -> bool:
        return any(row.split != "train" for row in self._job.rows())


def folder_name(class_name: str) -> str:
    """Return a folder name for a class: the same name wherever that is one."""
    if class_name in {"", ".", ".."}:
        return "%" + class_name.encode().hex("%") if class_name else "%00"
    return "".join(
        f"%{ord(char):02X}" if char in _UNSAFE or not char.isprintable() else char
        for char in class_name
    )
