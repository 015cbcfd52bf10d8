"""Scores from a file of either kind."""

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from worker.files.errors import UnreadableDataError, UploadError
from worker.files.limits import SafePoint
from worker.files.magic_bytes import PARQUET
from worker.files.npy import texts_of
from worker.files.npz import Npz
from worker.files.zip import ZipArchive
from worker.stages.score.arrays import (
    CLASS_NAMES,
    FEATURES,
    GIVEN_LABEL,
    PRED_PROBS,
    Block,
    Gathering,
    InvalidScoresError,
    MemoryWall,
    ScoreLimits,
    Scores,
    checked_features,
    checked_probabilities,
    rows_per_block,
)
from worker.stages.score.labels import LabelRange, checked_names, numbered_names

_NEEDED = (PRED_PROBS, GIVEN_LABEL)
_OPTIONAL = (FEATURES, CLASS_NAMES)
_MAX_ARRAYS = 1000
_MAX_NAME_BYTES = 4096


def read_scores(
    path: Path,
    limits: ScoreLimits,
    wall: MemoryWall,
    *,
    safe_point: SafePoint,
    on_rows: Callable[[float], None],
) -> Scores:
    """Read and check a file by what is in it, not by its name.

    Args:
        path: The upload.
        limits: How large its arrays may be.
        wall: Moved for arrays that passed the checks of their headers.
        safe_point: Called between blocks; raises when the work has to end.
        on_rows: Hears the share of the probabilities that is read.

    Returns:
        The checked arrays.

    Raises:
        InvalidScoresError: Something is wrong in the file.
    """
    with path.open("rb") as file:
        is_parquet = file.read(len(PARQUET)) == PARQUET
        try:
            if is_parquet:
                from worker.stages.score.parquet import ParquetReader  # noqa: PLC0415 - brings pyarrow

                return ParquetReader(file, limits, wall, safe_point).read(on_rows)
            return NpzReader(file, limits, wall, safe_point).read(on_rows)
        except (UploadError, UnreadableDataError) as error:
            raise InvalidScoresError(error.detail.removesuffix(".")) from error
        except MemoryError as error:
            raise InvalidScoresError("reading the file takes more memory than allowed") from error


class NpzReader:
    """Reads one file."""

    def __init__(
        self, file: BinaryIO, limits: ScoreLimits, wall: MemoryWall, safe_point: SafePoint
    ) -> None:
        """Check the table of contents and the headers of the arrays.

        Raises:
            UploadError: The zip is damaged, or not what it seems.
            UnreadableDataError: An array is missing, or its header is damaged.
        """
        self._limits = limits
        self._wall = wall
        self._safe_point = safe_point
        # The arrays may have any size here: their shapes are checked before any is unpacked.
        files = ZipArchive(file, safe_point, max_files=_MAX_ARRAYS, max_file_bytes=sys.maxsize)
        self._npz = Npz(files)
        optional = [name for name in _OPTIONAL if name in self._npz.names]
        self._headers = {name: self._npz.header(name) for name in (*_NEEDED, *optional)}

    def read(self, on_rows: Callable[[float], None]) -> Scores:
        """Read and check all arrays; `on_rows` is called with the share of the probabilities done.

        Raises:
            InvalidScoresError: A row is wrong.
            UnreadableDataError: The packed data are damaged.
        """
        num_classes = self._check_shapes()
        label = self._gather(GIVEN_LABEL, np.int64, LabelRange(num_classes).checked)
        prob = self._gather(PRED_PROBS, np.float64, checked_probabilities, on_rows)
        feature = None
        if FEATURES in self._headers:
            feature = self._gather(FEATURES, np.float32, checked_features)
        known = self._headers.keys()
        return Scores(
            prob=prob,
            label=label,
            feature=feature,
            class_names=self._class_names(num_classes),
            ignored=sorted(name for name in self._npz.names if name not in known),
        )

    def _check_shapes(self) -> int:
        """Check shapes and types before anything is unpacked, and raise the limit on memory.

        Returns:
            The number of classes.
        """
        num_rows, num_classes = self._check_matrix(PRED_PROBS)
        if num_classes < 2:
            raise InvalidScoresError(f"{PRED_PROBS} has 1 column; two classes are needed at least")
        label = self._headers[GIVEN_LABEL]
        if label.dtype.kind not in "iu":
            raise InvalidScoresError(f"{GIVEN_LABEL} must hold integers, not {label.dtype}")
        if label.shape != (num_rows,):
            raise InvalidScoresError(
                f"{GIVEN_LABEL} has the shape {label.shape}; {PRED_PROBS} asks for ({num_rows},)"
            )
        num_cells = num_rows * (num_classes + 1)
        if FEATURES in self._headers:
            num_feature_rows, num_features = self._check_matrix(FEATURES)
            if num_feature_rows != num_rows:
                raise InvalidScoresError(
                    f"{FEATURES} has {num_feature_rows:,} rows, {PRED_PROBS} has {num_rows:,}"
                )
            self._limits.check_features(num_rows, num_features)
            num_cells += num_rows * num_features
        self._wall.make_room(num_cells)
        return num_classes

    def _check_matrix(self, name: str) -> tuple[int, int]:
        header = self._headers[name]
        if header.dtype.kind != "f" or header.dtype.itemsize > 8:
            raise InvalidScoresError(
                f"{name} must hold floats of 2, 4 or 8 bytes, not {header.dtype}"
            )
        if len(header.shape) != 2:
            raise InvalidScoresError(f"{name} must have two dimensions, not the {header.shape}")
        num_rows, num_columns = header.shape
        self._limits.check(name, num_rows, num_columns)
        return num_rows, num_columns

    def _gather(
        self,
        name: str,
        dtype: type[np.generic],
        check: Callable[[Block, int], NDArray[Any]],
        on_rows: Callable[[float], None] = lambda _share: None,
    ) -> NDArray[Any]:
        header = self._headers[name]
        gathering = Gathering(header.shape, dtype, check)
        num_done = 0
        rows_at_once = rows_per_block(max(1, math.prod(header.shape[1:])))
        for block in self._npz.blocks(name, rows_at_once):
            self._safe_point()
            gathering.add(block)
            num_done += len(block)
            on_rows(num_done / header.shape[0])
        return gathering.finish()

    def _class_names(self, num_classes: int) -> list[str]:
        header = self._headers.get(CLASS_NAMES)
        if header is None:
            return numbered_names(num_classes)
        if header.dtype.kind != "U" or header.shape != (num_classes,):
            raise InvalidScoresError(
                f"{CLASS_NAMES} must be {num_classes} strings; it is {header.dtype} of the shape "
                f"{header.shape}"
            )
        if not 0 < header.dtype.itemsize <= _MAX_NAME_BYTES:
            raise InvalidScoresError(f"{CLASS_NAMES} is made for names of another length")
        (block,) = self._npz.blocks(CLASS_NAMES, num_classes)
        return checked_names(texts_of(block, CLASS_NAMES), num_classes)
