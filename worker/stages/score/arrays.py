"""Checked arrays, filled block by block within limits. N rows, C classes, D features."""

import json
import resource
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from worker.files.limits import OPEN_FILES, lower_limit
from worker.files.npy import save_array

INVALID_SCORES = "invalid_scores"
"""The code of all errors in a file; part of the API."""
MAX_COLUMNS = 10_000
MAX_CELLS = 100_000_000
"""Rows times columns of one array: judging keeps several copies of 8 bytes a cell."""
MAX_NEIGHBOUR_COST = 10**14
"""Multiplications to find the nearest rows by features: an hour or two of one core."""
_SLACK_BYTES = 1024**3
_BYTES_PER_CELL = 24
"""A column-major array as it lies in the file, and the same in double precision."""
_MAX_ARRAYS = 3
_CPU_SECONDS = 3600
"""A gigabyte takes seconds."""
_UNKNOWN_BYTES = 8 * 1024**3
Block = NDArray[Any]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
S = TypeVar("S", bound=np.generic)
PRED_PROBS, GIVEN_LABEL = "pred_probs", "given_label"
FEATURES, CLASS_NAMES = "features", "class_names"
_PROB, _FEATURE, _NAMES = "prob.npy", "feature.npy", "names.json"
BLOCK_CELLS = 1_000_000
SUM_TOLERANCE = 5e-3
"""Larger than the error of rounding to half precision."""
LABELS = "labels.npy"
"""What the reader leaves for the supervisor, besides the other arrays."""
SUMMARY = "summary.json"
"""This and the next are what the judging leaves, besides the findings."""
REPORT = "report.json"


class InvalidScoresError(Exception):
    """The file cannot be judged; the user sees which array or row is wrong, and how."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreLimits:
    """The bounds on one file."""

    max_rows: int
    max_columns: int = MAX_COLUMNS
    max_cells: int = MAX_CELLS

    def check(self, name: str, num_rows: int, num_columns: int) -> None:
        """Refuse a matrix by its shape alone.

        Raises:
            InvalidScoresError: It is empty or too large.
        """
        for count, what, most in (
            (num_rows, "rows", self.max_rows),
            (num_columns, "columns", self.max_columns),
            (num_rows * num_columns, "numbers", self.max_cells),
        ):
            if count < 1:
                raise InvalidScoresError(f"{name} has no {what}")
            if count > most:
                raise InvalidScoresError(f"{name} has {count:,} {what}; at most {most:,} are taken")

    def check_features(self, num_rows: int, num_features: int) -> None:
        """Refuse features that would take days to compare.

        Raises:
            InvalidScoresError: They are empty or too large.
        """
        self.check("features", num_rows, num_features)
        if num_rows**2 * num_features > MAX_NEIGHBOUR_COST:
            raise InvalidScoresError(
                f"features of {num_rows:,} rows and {num_features:,} columns take too long to "
                "compare with each other; leave them out or reduce their columns"
            )


class MemoryWall:
    """Limits the memory of this process to the need of the announced arrays."""

    def __init__(self) -> None:
        """Set all limits; that on memory is for reading headers only."""
        self._start_bytes = _address_space_bytes()
        lower_limit(resource.RLIMIT_CORE, 0)
        lower_limit(resource.RLIMIT_NOFILE, OPEN_FILES)
        lower_limit(resource.RLIMIT_CPU, _CPU_SECONDS)
        lower_limit(resource.RLIMIT_AS, self._bytes_for(_MAX_ARRAYS * MAX_CELLS))
        self.make_room(0)

    def make_room(self, num_cells: int) -> None:
        """Raise the limit for arrays of this size, whose headers were checked."""
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (min(self._bytes_for(num_cells), hard), hard))

    def _bytes_for(self, num_cells: int) -> int:
        return self._start_bytes + _SLACK_BYTES + _BYTES_PER_CELL * num_cells


def _address_space_bytes() -> int:
    """Return what libraries and threads have reserved already."""
    try:
        num_pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:  # no Linux
        return _UNKNOWN_BYTES
    return num_pages * resource.getpagesize()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scores:
    """The checked content of a file."""

    prob: FloatArray
    """Predicted probabilities, shape (N, C), at least 0; rows sum to 1."""
    label: IntArray
    """Given labels, shape (N,), in [0, C)."""
    feature: NDArray[np.float32] | None
    """Shape (N, D), finite; None where the file has none."""
    class_names: list[str]
    ignored: list[str]
    """Names of arrays or columns that are not used."""

    def save(self, folder: Path) -> None:
        """Write everything to files, for the process that judges."""
        save_array(folder / LABELS, self.label)
        save_array(folder / _PROB, self.prob)
        if self.feature is not None:
            save_array(folder / _FEATURE, self.feature)
        names = {"class_names": self.class_names, "ignored": self.ignored}
        (folder / _NAMES).write_text(json.dumps(names))

    @classmethod
    def load(cls, folder: Path) -> "Scores":
        """Read the files of `save`."""
        has_features = (folder / _FEATURE).exists()
        return cls(
            prob=np.load(folder / _PROB, allow_pickle=False),
            label=np.load(folder / LABELS, allow_pickle=False),
            feature=np.load(folder / _FEATURE, allow_pickle=False) if has_features else None,
            **json.loads((folder / _NAMES).read_text()),
        )


class Gathering(Generic[S]):
    """An array of known shape whose rows come in blocks, in order."""

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: type[S],
        check: Callable[[Block, int], NDArray[Any]],
    ) -> None:
        """Keep what `check` returns for a block and the number of its first row."""
        self._array: NDArray[S] = np.empty(shape, dtype=dtype)
        self._check = check
        self._num_done = 0

    def add(self, block: Block) -> None:
        """Check the next rows and keep them.

        Raises:
            InvalidScoresError: One of them is wrong.
        """
        end = self._num_done + len(block)
        if end > len(self._array):
            raise InvalidScoresError(f"the file holds more than its {len(self._array):,} rows")
        self._array[self._num_done : end] = self._check(block, self._num_done)
        self._num_done = end

    def finish(self) -> NDArray[S]:
        """Return the array, now that all rows are there."""
        if self._num_done != len(self._array):
            raise InvalidScoresError(
                f"the file announces {len(self._array):,} rows but holds {self._num_done:,}"
            )
        return self._array


def rows_per_block(num_columns: int) -> int:
    """Return the number of rows of a block."""
    return max(1, BLOCK_CELLS // num_columns)


def checked_probabilities(block: Block, first_row: int) -> FloatArray:
    """Return rows of C probabilities in double precision, scaled to sum to exactly 1.

    Raises:
        InvalidScoresError: A row is no distribution.
    """
    prob = block.astype(np.float64)
    sums = prob.sum(axis=1)
    # Written so that NaN counts as wrong.
    good = (prob >= 0.0).all(axis=1) & (np.abs(sums - 1.0) <= SUM_TOLERANCE)
    if not good.all():
        row = int(np.argmin(good))
        raise InvalidScoresError(_fault(prob[row], first_row + row))
    return np.asarray(prob / sums[:, None])


def checked_features(block: Block, first_row: int) -> NDArray[np.float32]:
    """Return rows of D features in single precision.

    Raises:
        InvalidScoresError: A number is not finite.
    """
    with np.errstate(over="ignore"):
        feature = block.astype(np.float32)
    bad = np.argwhere(~np.isfinite(feature))
    if len(bad):
        row, column = bad[0].tolist()
        raise InvalidScoresError(
            f"row {first_row + row} of {FEATURES} holds {block[row, column]} "
            f"(column {column}), which is no finite number"
        )
    return feature


def _fault(prob: FloatArray, row: int) -> str:
    bad = np.flatnonzero(~(np.isfinite(prob) & (prob >= 0.0)))
    if len(bad):
        return f"row {row} of {PRED_PROBS} holds {prob[bad[0]]:g} (class {bad[0]})"
    return f"row {row} of {PRED_PROBS} sums to {prob.sum():.6g}, not to 1"
