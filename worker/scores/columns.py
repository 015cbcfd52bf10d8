"""Columns of a Parquet file as blocks of rows."""

import re
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa

from worker.files.names import listed
from worker.scores.arrays import GIVEN_LABEL, PRED_PROBS, Block
from worker.scores.errors import InvalidScoresError
from worker.scores.labels import LabelRange, NamedLabels

_NUMBERED = re.compile(r"p_(0|[1-9][0-9]{0,5})", re.ASCII)


class MatrixColumns(Protocol):
    """What holds the rows of a matrix."""

    names: Sequence[str]

    def num_columns(self, batch: pa.RecordBatch) -> int:
        """Return the width of the matrix, from any row."""

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
