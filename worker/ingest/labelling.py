"""Where the label of a file comes from: its folders, or a table beside it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Protocol

from typing_extensions import override

from worker.files.errors import RefusedFileError, RejectCode
from worker.files.names import normal_form, printable
from worker.ingest.annotators import settle
from worker.ingest.label_studio import without_upload_prefix
from worker.ingest.layout import TRAIN, Layout, Place, split_of
from worker.ingest.members import Rejection, reject
from worker.ingest.tables import Row, Table

_MAX_FOLDERS_KNOWN = 10_000


class Labelling(Protocol):
    """Tells what each file is."""

    warnings: Sequence[str]

    def is_table(self, path: str) -> bool:
        """Tell whether a file is where the labels come from, and so no sample itself."""

    def place(self, path: str) -> Place:
        """Return split and class of a file.

        Raises:
            RefusedFileError: It has none.
        """

    def unused(self) -> list[Rejection]:
        """Return what was said of files that are not there."""


class FolderLabels(Labelling):
    """Each class is a folder."""

    def __init__(self, layout: Layout) -> None:
        """Read labels by this layout."""
        self._layout = layout
        self._of_folders: dict[str, Place | None] = {}
        self.warnings = layout.warnings

    @override
    def is_table(self, path: str) -> bool:
        return False

    @override
    def place(self, path: str) -> Place:
        folder, slash, name = normal_form(path).rpartition("/")
        place = self._of_folder(folder + slash)
        if place is None:
            raise RefusedFileError(RejectCode.NO_LABEL, "The file lies in no class folder.")
        return Place(place.split, place.class_name, place.file + name)

    def _of_folder(self, folder: str) -> Place | None:
        """Return what all files of a folder have in common; most have many."""
        if folder not in self._of_folders:
            if len(self._of_folders) == _MAX_FOLDERS_KNOWN:
                self._of_folders.clear()
            self._of_folders[folder] = self._layout.place(folder)
        return self._of_folders[folder]

    @override
    def unused(self) -> list[Rejection]:
        return []


class TableLabels(Labelling):
    """Each file is a row of a table; folders only tell the split where it does not."""

    def __init__(self, tables: Sequence[Table], paths: Iterable[str]) -> None:
        """Find the file that each row means."""
        self.warnings = [f"Labels were read from {', '.join(table.shown for table in tables)}."]
        self.warnings += [text for table in tables for text in table.warnings]
        self._tables = {table.path for table in tables}
        self._rows: dict[str, Row] = {}
        self._unused: list[Rejection] = []
        finder = _Finder(paths)
        for table in tables:
            for row in table.rows:
                self._add(row, finder.find(row.file, table))

    @override
    def is_table(self, path: str) -> bool:
        return path in self._tables

    @override
    def place(self, path: str) -> Place:
        row = self._rows.get(path)
        if row is None:
            raise RefusedFileError(RejectCode.NO_LABEL, "No table names this file.")
        if row.fault is not None:
            raise RefusedFileError(*row.fault)
        split = row.split or _split_of_folders(path)
        if row.votes is None:
            return Place(split, row.label, path)
        label, annotation = settle(row.votes, path)
        return Place(split, label, path, annotation)

    @override
    def unused(self) -> list[Rejection]:
        return self._unused

    def _add(self, row: Row, path: str | None) -> None:
        if path is None:
            self._refuse(row, RejectCode.MISSING_FILE, "names a file that is not in the upload")
        elif row.votes and row.fault is not None:
            self._unused.append(reject(row.file, RefusedFileError(*row.fault)))
        elif path not in self._rows:
            self._rows[path] = row
        else:
            self._add_votes(row, path)

    def _add_votes(self, row: Row, path: str) -> None:
        """Join another annotator's row for a file with the earlier ones."""
        earlier = self._rows[path]
        if not row.votes or not earlier.votes:
            self._refuse(row, RejectCode.DUPLICATE_ROW, "names a file that an earlier row names")
        elif row.votes.keys() & earlier.votes.keys():
            self._refuse(row, RejectCode.DUPLICATE_ROW, "repeats an annotator of an earlier row")
        elif row.split not in {None, earlier.split}:
            self._refuse(row, RejectCode.DUPLICATE_ROW, "names another split than an earlier row")
        else:
            self._rows[path] = replace(earlier, votes={**earlier.votes, **row.votes})

    def _refuse(self, row: Row, code: RejectCode, what: str) -> None:
        error = RefusedFileError(code, f"{row.where} {what}.")
        self._unused.append(reject(row.file or row.where, error))


class _Finder:
    """Finds files by what tables call them."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._by_path = {normal_form(path): path for path in paths}
        self._by_name: dict[str, str | None] = {}
        for path in self._by_path.values():
            name = PurePosixPath(path).name
            self._by_name[name] = None if name in self._by_name else path

    def find(self, file: str, table: Table) -> str | None:
        """Return the path: from the table's folder, from the root, or by a name met only once."""
        name = normal_form(file).removeprefix("./")
        for candidate in (f"{table.folder}{name}", name):
            if candidate in self._by_path:
                return self._by_path[candidate]
        return self._by_name_alone(name) if table.names_are_enough else None

    def _by_name_alone(self, file: str) -> str | None:
        name = PurePosixPath(file).name
        return self._by_name.get(name) or self._by_name.get(without_upload_prefix(name))


def _split_of_folders(path: str) -> str:
    splits: Mapping[str, str | None] = {part: split_of(part) for part in path.split("/")[:-1]}
    return next((split for split in splits.values() if split), TRAIN)


def shown(path: str) -> str:
    """Return a table's path for a sentence."""
    return f"'{printable(path)}'"
