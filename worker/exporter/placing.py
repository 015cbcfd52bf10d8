"""Where a sample goes in a tree of class folders."""

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from app.models import Split
from worker.exporter.job import ExportJob, Row
from worker.ingest.layout import Layout, recognise_layout
from worker.ingest.names import normal_form

_UNSAFE = frozenset("/\\")


class Placing:
    """Keeps every file where it was below its class folder, so that it can be taken in again."""

    def __init__(self, job: ExportJob) -> None:
        """Look through all paths once."""
        splits: set[str] = set()
        self._layout: Layout = recognise_layout(_noting(job.places(), splits))
        self._folders = [folder_name(name) for name in job.classes]
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


def folder_name(class_name: str) -> str:
    """Return a folder name for a class: the same name wherever that is one."""
    if class_name in {"", ".", ".."}:
        return "%" + class_name.encode().hex("%") if class_name else "%00"
    return "".join(
        f"%{ord(char):02X}" if char in _UNSAFE or not char.isprintable() else char
        for char in class_name
    )
