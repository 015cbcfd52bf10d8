"""Checked arrays, filled block by block. N rows, C classes, D features."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from worker.files.npy import save_array
from worker.scores.errors import InvalidScoresError
from worker.scores.outputs import LABELS

Block = NDArray[Any]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
S = TypeVar("S", bound=np.generic)

PRED_PROBS, GIVEN_LABEL = "pred_probs", "given_label"
FEATURES, CLASS_NAMES = "features", "class_names"
_PROB, _FEATURE, _NAMES = "prob.npy", "feature.npy", "names.json"
BLOCK_CELLS = 1_000_000
SUM_TOLERANCE = 5e-3
"""More than rounding to half precision makes of a sum of one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scores:
    """What a file holds, checked."""

    prob: FloatArray
    """Predicted probabilities, shape (N, C), at least 0; rows sum to 1."""
    label: IntArray
    """Given labels, shape (N,), in [0, C)."""
    feature: NDArray[np.float32] | None
    """Shape (N, D), finite; None where the file has none."""
    class_names: list[str]
    ignored: list[str]
    """Names of what else the file holds."""

    def save(self, folder: Path) -> None:
        """Leave everything for the process that judges."""
        save_array(folder / LABELS, self.label)
        save_array(folder / _PROB, self.prob)
        if self.feature is not None:
            save_array(folder / _FEATURE, self.feature)
        names = {"class_names": self.class_names, "ignored": self.ignored}
        (folder / _NAMES).write_text(json.dumps(names))

    @classmethod
    def load(cls, folder: Path) -> "Scores":
        """Read what `save` left."""
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
    """Return how many rows to take at once."""
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
