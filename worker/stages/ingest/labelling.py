"""Where the label of a file comes from: its folders, or a table beside it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any, Protocol

from typing_extensions import override

from worker.files.errors import FailureCode, Refusal, RefusedFileError, RejectCode, UploadError
from worker.files.limits import Limits, ReadMeter
from worker.files.members import FileArchive
from worker.files.names import is_printable, normal_form, printable
from worker.stages.ingest.agreement import Votes, read_annotator, settle
from worker.stages.ingest.columns import LABEL_NAMES, Columns, told_choice, told_columns
from worker.stages.ingest.label_studio import without_upload_prefix
from worker.stages.ingest.layout import TRAIN, Layout, Place, Rejection, reject, split_of
from worker.stages.ingest.table_files import READERS, Record, Records, TableError

_TABLE_STEMS = frozenset({"metadata", "labels", "manifest", "annotations"})
"""Files of these names must be readable tables; other files may be anything."""
_MAX_TABLE_BYTES = 64 * 1024**2
_MAX_LABEL_BYTES = 255
_MAX_FOLDERS_KNOWN = 10_000


@dataclass(frozen=True, slots=True)
class Row:
    """One row: a file and its label."""

    where: str
    """Table and row number, for people."""
    file: str
    label: str = ""
    votes: Votes | None = None
    """Labels by annotator, in place of one label."""
    split: str | None = None
    fault: Refusal | None = None


@dataclass(slots=True)
class Table:
    """One table of labels."""

    path: str
    names_are_enough: bool = False
    """Whether its paths are those of another system; only the file names count then."""
    rows: list[Row] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, row: Row, *, max_rows: int) -> None:
        """Append a row.

        Raises:
            TableError: There are too many.
        """
        if len(self.rows) == max_rows:
            raise TableError(f"more than {max_rows:,} rows")
        self.rows.append(row)

    @property
    def folder(self) -> str:
        """The folder that its paths start from, with a slash, or nothing."""
        return "".join(self.path.rpartition("/")[:2])

    @property
    def shown(self) -> str:
        """Its name for a sentence."""
        return f"'{printable(self.path)}'"


def find_tables(
    archive: FileArchive,
    files: Iterable[tuple[str, int]],
    limits: Limits,
    columns: Columns,
) -> list[Table]:
    """Read all tables that have a column of paths and one of labels; `files` are paths and keys.

    Raises:
        UploadError: One of these cannot be read to its end, or a column that the user named is in
            none.
    """
    tables, used, unused = [], dict[str, list[str]](), dict[str, list[str]]()
    for path, key in files:
        records = _open(archive, path, key, limits, columns)
        if records is None:
            continue
        meaning = columns.resolve(records.columns)
        if meaning is None:
            unused[path] = records.columns
        else:
            used[path] = records.columns
            tables.append(_read(path, records, meaning, max_rows=limits.max_files))
            if columns.label is None:
                tables[-1].warnings = told_choice("labels", records.questions, LABEL_NAMES[:1])
    _require_named(columns, used, unused)
    return tables


def _require_named(
    columns: Columns, used: Mapping[str, list[str]], unused: Mapping[str, list[str]]
) -> None:
    columns.require_in(used or unused)
    if columns.named and not used:
        raise UploadError(
            FailureCode.UNKNOWN_COLUMN,
            "No table has both a column of paths and one of labels whose names are known: "
            f"{told_columns(unused)}. Name both.",
        )


def _open(
    archive: FileArchive, path: str, key: int, limits: Limits, columns: Columns
) -> Records | None:
    """Return the rows of a file; None for a file that is no table."""
    open_records = READERS.get(path.rpartition(".")[2].lower())
    if open_records is None or archive.member(key).num_bytes > _MAX_TABLE_BYTES:
        return None
    meter = ReadMeter(limits, archive_bytes=limits.max_unpacked_bytes)
    try:
        return open_records(archive.read(archive.member(key), meter))
    except RefusedFileError:
        return None  # reported as what it is
    except TableError as error:
        if _is_surely_one(path, columns):
            raise _invalid(path, error) from error
        return None


def _read(path: str, records: Records, used: Columns, *, max_rows: int) -> Table:
    table = Table(path, records.names_are_enough)
    try:
        for row in _rows(records, table, used):
            table.add(row, max_rows=max_rows)
    except TableError as error:
        raise _invalid(path, error) from error
    return table


def _is_surely_one(path: str, columns: Columns) -> bool:
    stem = path.rpartition("/")[2].partition(".")[0].lower()
    return stem in _TABLE_STEMS or columns != Columns()


def _invalid(path: str, error: TableError) -> UploadError:
    return UploadError(FailureCode.INVALID_TABLE, f"'{printable(path)}': {error}.")


def _rows(records: Records, table: Table, used: Columns) -> Iterator[Row]:
    for number, record in records.rows:
        where = f"Row {number} of {table.shown}"
        file = record.get(used.path or "")
        if isinstance(file, dict):  # an image of Hugging Face, without its bytes
            file = file.get("path")
        label, votes, fault = _read_labels(record, used)
        split, split_fault = _read_split(record.get(used.split) if used.split else None)
        yield Row(
            where=where,
            file=file if isinstance(file, str) else "",
            label=label,
            votes=votes,
            split=split,
            fault=_located(fault or split_fault, where),
        )


def _read_labels(record: Record, used: Columns) -> tuple[str, Votes | None, Refusal | None]:
    """Return the label, or the labels of the annotators, or the reason why there is none."""
    if used.labels:
        return _read_votes({name: record.get(name) for name in used.labels})
    value = record.get(used.label or "")
    if isinstance(value, dict):
        return _read_votes(value)
    label, fault = read_label(value)
    if used.annotator is None:
        return label, None, fault
    annotator, annotator_fault = read_annotator(record.get(used.annotator))
    return "", {annotator: label}, fault or annotator_fault


def _read_votes(said: Mapping[Any, Any]) -> tuple[str, Votes | None, Refusal | None]:
    """Read one row's labels by annotator; empty labels are left out."""
    votes: dict[str, str] = {}
    for name, value in said.items():
        if value is None or value == "":
            continue
        annotator, name_fault = read_annotator(name)
        label, fault = read_label(value)
        if fault or name_fault:
            return "", {}, fault or name_fault
        votes[annotator] = label
    return "", votes, None if votes else read_label(None)[1]


def read_label(value: Any) -> tuple[str, Refusal | None]:
    """Return a class name, or the reason why there is none."""
    if value is None or value == "":
        return "", Refusal(RejectCode.NO_LABEL, "has no label")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, str | int):
        return "", Refusal(RejectCode.INVALID_LABEL, "has a label that is no text and no number")
    label = normal_form(str(value)).strip()
    if not label or not is_printable(label) or len(label.encode()) > _MAX_LABEL_BYTES:
        return "", Refusal(RejectCode.INVALID_LABEL, "has a label that cannot be shown")
    return label, None


def _read_split(value: Any) -> tuple[str | None, Refusal | None]:
    if value is None or value == "":
        return None, None
    split = split_of(value) if isinstance(value, str) else None
    if split is None:
        known = "train, validation or test"
        return None, Refusal(RejectCode.UNKNOWN_SPLIT, f"has a split other than {known}")
    return split, None


def _located(fault: Refusal | None, where: str) -> Refusal | None:
    return None if fault is None else Refusal(fault.code, f"{where} {fault.detail}.")


class Labelling(Protocol):
    """Maps files to their split and class."""

    warnings: Sequence[str]

    def is_table(self, path: str) -> bool:
        """Tell whether a file is one of the tables, and so no sample."""

    def place(self, path: str) -> Place:
        """Return split and class of a file.

        Raises:
            RefusedFileError: The file has no label.
        """

    def unused(self) -> list[Rejection]:
        """Return the rows that could not be used."""


class FolderLabels(Labelling):
    """Labels from class folders."""

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
        """Return the place that the files of a folder share."""
        if folder not in self._of_folders:
            if len(self._of_folders) == _MAX_FOLDERS_KNOWN:
                self._of_folders.clear()
            self._of_folders[folder] = self._layout.place(folder)
        return self._of_folders[folder]

    @override
    def unused(self) -> list[Rejection]:
        return []


class TableLabels(Labelling):
    """Labels from tables; folders tell the split where the table does not."""

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
        """Add another annotator's row to the earlier ones of the file."""
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
    """Finds the file that a table means."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._by_path = {normal_form(path): path for path in paths}
        self._by_name: dict[str, str | None] = {}
        for path in self._by_path.values():
            name = PurePosixPath(path).name
            self._by_name[name] = None if name in self._by_name else path

    def find(self, file: str, table: Table) -> str | None:
        """Return the path, found from the table's folder, from the root, or by a unique name."""
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
