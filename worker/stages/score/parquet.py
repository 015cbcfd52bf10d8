"""Scores from a Parquet file, batch by batch."""

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import BinaryIO, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from worker.files.limits import SafePoint
from worker.files.names import listed, printable
from worker.files.parquet import ParquetTable, naming_damage
from worker.stages.score.arrays import (
    CLASS_NAMES,
    FEATURES,
    GIVEN_LABEL,
    PRED_PROBS,
    Block,
    Gathering,
    IntArray,
    InvalidScoresError,
    MemoryWall,
    ScoreLimits,
    Scores,
    checked_features,
    checked_probabilities,
    rows_per_block,
)
from worker.stages.score.labels import LabelRange, NamedLabels, checked_names, numbered_names

_MAX_BYTES_PER_ROW = 256
"""A label; a class name may be nearly as long."""
_MAX_BYTES_PER_CELL = 16
_SLACK_BYTES = 64 * 1024**2
_NUMBERED = re.compile(r"p_(0|[1-9][0-9]{0,5})", re.ASCII)


class MatrixColumns(Protocol):
    """The columns that hold a matrix."""

    names: Sequence[str]

    def num_columns(self, batch: pa.RecordBatch) -> int:
        """Return the number of columns of the matrix, from any row."""

    def block(self, batch: pa.RecordBatch, first_row: int) -> Block:
        """Return the rows of a batch.

        Raises:
            InvalidScoresError: One of them is missing or has another width.
        """


class ListColumn:
    """A matrix whose rows are lists in one column."""

    def __init__(self, schema: pa.Schema, name: str) -> None:
        """Check the column's type."""
        self.names: Sequence[str] = (name,)
        self._width: int | None = None
        column_type = schema.field(name).type
        is_list = (
            pa.types.is_list(column_type)
            or pa.types.is_large_list(column_type)
            or pa.types.is_fixed_size_list(column_type)
        )
        if not is_list or not pa.types.is_floating(column_type.value_type):
            raise InvalidScoresError(f"the column {name} must hold lists of floats")

    def num_columns(self, batch: pa.RecordBatch) -> int:
        """Return the length of the first list; all others must be as long."""
        self._width = len(batch.column(0)[0].as_py() or ())
        return self._width

    def block(self, batch: pa.RecordBatch, first_row: int) -> Block:
        """Return the lists as rows; a null inside a list becomes NaN."""
        (name,) = self.names
        array = batch.column(name)
        _require_all(array, name, first_row)
        if pa.types.is_fixed_size_list(array.type):
            lengths = np.full(len(array), array.type.list_size)
        else:
            lengths = np.diff(array.offsets.to_numpy())
        other = np.flatnonzero(lengths != self._width)
        if len(other):
            raise InvalidScoresError(
                f"row {first_row + int(other[0])} of {name} has {lengths[other[0]]} numbers, "
                f"row 0 has {self._width}"
            )
        values: Block = array.flatten().to_numpy(zero_copy_only=False)
        return values.reshape(len(array), -1)


class NumberColumns:
    """A matrix with one column for each of its own."""

    def __init__(self, schema: pa.Schema, names: Sequence[str]) -> None:
        """Check the columns' types."""
        self.names = names
        for name in names:
            if not pa.types.is_floating(schema.field(name).type):
                raise InvalidScoresError(f"the column {name} must hold floats")

    def num_columns(self, _batch: pa.RecordBatch) -> int:
        """Return the number of columns."""
        return len(self.names)

    def block(self, batch: pa.RecordBatch, first_row: int) -> Block:
        """Return the columns side by side."""
        for name in self.names:
            _require_all(batch.column(name), name, first_row)
        columns = [batch.column(name).to_numpy(zero_copy_only=False) for name in self.names]
        return np.stack(columns, axis=1)


class LabelColumn:
    """Given labels: numbers, or names that are numbered as they appear."""

    def __init__(self, schema: pa.Schema, num_classes: int) -> None:
        """Check the column's type."""
        column_type = schema.field(GIVEN_LABEL).type
        self.names = NamedLabels() if _is_text(column_type) else None
        self._range = LabelRange(num_classes)
        if self.names is None and not pa.types.is_integer(column_type):
            raise InvalidScoresError(
                f"{GIVEN_LABEL} must hold integers or class names, not {column_type}"
            )

    def block(self, batch: pa.RecordBatch, first_row: int) -> Block:
        """Return the labels of a batch as numbers."""
        array = batch.column(GIVEN_LABEL)
        _require_all(array, GIVEN_LABEL, first_row)
        if self.names is not None:
            return self.names.encoded(array.to_pylist(), first_row)
        return self._range.checked(array.to_numpy(), first_row)


def probability_columns(schema: pa.Schema) -> MatrixColumns:
    """Return the one column of lists, or the numbered columns.

    Raises:
        InvalidScoresError: There are neither.
    """
    if PRED_PROBS in schema.names:
        return ListColumn(schema, PRED_PROBS)
    numbers = sorted(int(match[1]) for name in schema.names if (match := _NUMBERED.fullmatch(name)))
    if not numbers:
        raise InvalidScoresError(
            f"there is no column {PRED_PROBS}, nor p_0, p_1 and so on; found: "
            f"{listed(schema.names) or 'none'}"
        )
    gap = next((i for i, number in enumerate(numbers) if number != i), None)
    if gap is not None:
        raise InvalidScoresError(f"there is no column p_{gap}, but p_{numbers[-1]}")
    return NumberColumns(schema, [f"p_{number}" for number in numbers])


def _is_text(column_type: pa.DataType) -> bool:
    if pa.types.is_dictionary(column_type):
        column_type = column_type.value_type
    return bool(pa.types.is_string(column_type) or pa.types.is_large_string(column_type))


def _require_all(array: pa.Array, name: str, first_row: int) -> None:
    if array.null_count:
        row = int(np.argmin(array.is_valid().to_numpy(zero_copy_only=False)))
        raise InvalidScoresError(f"row {first_row + row} of {name} is null")


class ParquetReader:
    """Reads one file."""

    def __init__(
        self, file: BinaryIO, limits: ScoreLimits, wall: MemoryWall, safe_point: SafePoint
    ) -> None:
        """Check the footer and the types of the columns.

        Raises:
            UnreadableDataError: The file is no Parquet file.
            InvalidScoresError: It lacks a column, or has one of another type.
        """
        self._limits = limits
        self._wall = wall
        self._safe_point = safe_point
        self._table = ParquetTable(file)
        self._schema, self._num_rows = self._table.schema, self._table.num_rows
        _check_columns(self._schema)
        self._prob = probability_columns(self._schema)
        has_features = FEATURES in self._schema.names
        self._feature = ListColumn(self._schema, FEATURES) if has_features else None
        self._used = [*self._prob.names, GIVEN_LABEL, *([FEATURES] if has_features else [])]

    def read(self, on_rows: Callable[[float], None]) -> Scores:
        """Read and check all rows; `on_rows` is called with the share done.

        Raises:
            InvalidScoresError: A row is wrong.
            UnreadableDataError: The file is damaged.
        """
        self._limits.check("the file", self._num_rows, 1)
        with naming_damage():
            self._check_announced()
            num_classes, num_features = self._check_shapes()
            label = LabelColumn(self._schema, num_classes)
            arrays = self._gather(label, num_classes, num_features, on_rows)
        names = self._class_names(num_classes)
        label_codes, prob, feature = arrays
        if label.names is not None:
            label_codes, names = label.names.resolved(label_codes, names, num_classes)
        return Scores(
            prob=prob,
            label=label_codes,
            feature=feature,
            class_names=names or numbered_names(num_classes),
            ignored=sorted(printable(n) for n in self._schema.names if n not in self._used),
        )

    def _check_announced(self) -> None:
        """Refuse columns that unpack to more than scores can need."""
        num_values = num_bytes = 0
        for group in self._table.row_groups():
            self._safe_point()
            for column in map(group.column, range(group.num_columns)):
                if column.path_in_schema.split(".")[0] in self._used:
                    num_values += column.num_values
                    num_bytes += column.total_uncompressed_size
        most = _SLACK_BYTES + _MAX_BYTES_PER_ROW * self._num_rows + _MAX_BYTES_PER_CELL * num_values
        if num_bytes > most:
            raise InvalidScoresError(
                f"the columns unpack to {num_bytes:,} bytes, far more than {self._num_rows:,} rows "
                "of scores can need"
            )
        if num_values > 3 * self._limits.max_cells:
            raise InvalidScoresError(f"the columns hold {num_values:,} numbers, which is too many")

    def _check_shapes(self) -> tuple[int, int]:
        """Read the widths from the first row, check them, and raise the limit on memory."""
        num_classes = self._prob.num_columns(self._first_row(self._prob.names[0]))
        self._limits.check(self._prob.names[0], self._num_rows, num_classes)
        if num_classes < 2:
            raise InvalidScoresError("row 0 has 1 probability; two classes are needed at least")
        num_features = 0
        if self._feature is not None:
            num_features = self._feature.num_columns(self._first_row(FEATURES))
            self._limits.check_features(self._num_rows, num_features)
        self._wall.make_room(self._num_rows * (num_classes + num_features + 1))
        return num_classes, num_features

    def _gather(
        self,
        label: LabelColumn,
        num_classes: int,
        num_features: int,
        on_rows: Callable[[float], None],
    ) -> tuple[IntArray, NDArray[np.float64], NDArray[np.float32] | None]:
        num_rows, first = self._num_rows, 0
        labels = Gathering((num_rows,), np.int64, lambda block, _first: block)
        probs = Gathering((num_rows, num_classes), np.float64, checked_probabilities)
        features = Gathering((num_rows, num_features), np.float32, checked_features)
        for batch in self._table.batches(rows_per_block(num_classes + num_features), self._used):
            self._safe_point()
            labels.add(label.block(batch, first))
            probs.add(self._prob.block(batch, first))
            if self._feature is not None:
                features.add(self._feature.block(batch, first))
            first += batch.num_rows
            on_rows(first / num_rows)
        return labels.finish(), probs.finish(), features.finish() if self._feature else None

    def _first_row(self, name: str) -> pa.RecordBatch:
        batch = next(self._table.batches(1, [name]), None)
        if batch is None:
            raise InvalidScoresError(f"{name} has no rows")
        return batch

    def _class_names(self, num_classes: int) -> list[str] | None:
        text = (self._schema.metadata or {}).get(CLASS_NAMES.encode())
        if text is None:
            return None
        try:
            names = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InvalidScoresError(f"the metadata's {CLASS_NAMES} is no JSON") from error
        if not isinstance(names, list):
            raise InvalidScoresError(f"the metadata's {CLASS_NAMES} is no JSON list")
        return checked_names(names, num_classes)


def _check_columns(schema: pa.Schema) -> None:
    twice = [name for name, count in Counter(schema.names).items() if count > 1]
    if twice:
        raise InvalidScoresError(f"more than one column has the name {listed(twice)}")
    if GIVEN_LABEL not in schema.names:
        found = listed(schema.names) or "none"
        raise InvalidScoresError(f"there is no column {GIVEN_LABEL}; found: {found}")
