"""Scores from an npz: a zip of npy arrays, of which only the known ones are unpacked."""

import math
import struct
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from worker.files.errors import UploadError
from worker.files.limits import SafePoint
from worker.files.names import listed, printable
from worker.ingest.zip_checks import (
    FLAG_ENCRYPTED,
    check_directory_place,
    check_entries,
    find_end_record,
)
from worker.scores.arrays import (
    CLASS_NAMES,
    FEATURES,
    GIVEN_LABEL,
    PRED_PROBS,
    Block,
    Gathering,
    Scores,
    checked_features,
    checked_probabilities,
    rows_per_block,
)
from worker.scores.errors import InvalidScoresError
from worker.scores.labels import LabelRange, checked_names, numbered_names
from worker.scores.limits import MemoryWall, ScoreLimits
from worker.scores.npy import NUM_HEAD, NpyHeader, read_header

_NEEDED = (PRED_PROBS, GIVEN_LABEL)
_OPTIONAL = (FEATURES, CLASS_NAMES)
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_MAX_MEMBERS = 1000
_MAX_DIRECTORY_BYTES = 1024**2
_MAX_NAME_BYTES = 4096
_PIECE_BYTES = 1024**2
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)


class NpzReader:
    """Reads one file."""

    def __init__(
        self, file: BinaryIO, limits: ScoreLimits, wall: MemoryWall, safe_point: SafePoint
    ) -> None:
        """Check the table of contents and the headers of the arrays.

        Raises:
            InvalidScoresError: The file is no npz with the arrays that are needed.
        """
        self._limits = limits
        self._wall = wall
        self._safe_point = safe_point
        self._zip, self._members = _open(file, safe_point)
        self._headers = {
            name: self._header(name) for name in (*_NEEDED, *_OPTIONAL) if name in self._members
        }

    def read(self, on_rows: Callable[[float], None]) -> Scores:
        """Read and check all arrays; `on_rows` hears the share of the probabilities done.

        Raises:
            InvalidScoresError: A row is wrong.
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
            ignored=sorted(name for name in self._members if name not in known),
        )

    def _header(self, name: str) -> NpyHeader:
        entry = self._members[name]
        with _damage_told(name), self._zip.open(entry) as member:
            header = read_header(member.read(NUM_HEAD), name)
        if header.num_bytes != entry.file_size:
            raise InvalidScoresError(
                f"the header of {name}.npy announces {header.num_bytes:,} bytes, but it has "
                f"{entry.file_size:,}"
            )
        return header

    def _check_shapes(self) -> int:
        """Refuse by shape and type what need not be unpacked, and make room for the rest.

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
        for block in self._blocks(name):
            self._safe_point()
            gathering.add(block)
            num_done += len(block)
            on_rows(num_done / header.shape[0])
        return gathering.finish()

    def _blocks(self, name: str) -> Iterator[Block]:
        """Yield an array in blocks of rows; one in Fortran order is unpacked whole for that."""
        header = self._headers[name]
        num_rows, row_shape = header.shape[0], header.shape[1:]
        step = rows_per_block(max(1, math.prod(row_shape)))
        with _damage_told(name), self._zip.open(self._members[name]) as member:
            member.read(header.num_header_bytes)
            if header.is_fortran:
                whole = _read_block(member, header.shape, header.dtype, order="F")
                yield from (whole[start : start + step] for start in range(0, num_rows, step))
            else:
                for start in range(0, num_rows, step):
                    shape = (min(step, num_rows - start), *row_shape)
                    yield _read_block(member, shape, header.dtype, order="C")
            if member.read(1):  # and so to the end, where the checksum is compared
                raise InvalidScoresError(f"{name}.npy goes on after its last row")

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
        (block,) = self._blocks(CLASS_NAMES)
        # Looked at before numpy makes strings of it: for what is no character it has no error.
        points = block.view(np.dtype(np.uint32).newbyteorder(block.dtype.byteorder))
        if (points > sys.maxunicode).any():
            raise InvalidScoresError(f"{CLASS_NAMES} is no Unicode text")
        return checked_names(block.tolist(), num_classes)


def _open(
    file: BinaryIO, safe_point: SafePoint
) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
    """Return the zip, whose headers agree with each other, and its members by array name."""
    try:
        archive = _checked_zip(file, safe_point)
    except UploadError as error:
        raise InvalidScoresError(error.detail) from error
    except (*_DAMAGE, struct.error, ValueError, OverflowError) as error:
        raise InvalidScoresError(f"the npz's table of contents is damaged: {error}") from error
    entries = archive.infolist()
    names = [printable(entry.filename.removesuffix(".npy")) for entry in entries]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InvalidScoresError(f"the npz holds more than one array of a name: {listed(twice)}")
    members = dict(zip(names, entries, strict=True))
    for name in _NEEDED:
        if name not in members:
            raise InvalidScoresError(f"there is no array {name}; found: {listed(names) or 'none'}")
    for name in (*_NEEDED, *_OPTIONAL):
        _check_packing(name, members.get(name))
    return archive, members


def _checked_zip(file: BinaryIO, safe_point: SafePoint) -> zipfile.ZipFile:
    end = find_end_record(file)
    if end is None:
        raise InvalidScoresError(
            "the npz has no end record: part of it is missing, or more follows"
        )
    if end.num_entries > _MAX_MEMBERS or end.directory_bytes > _MAX_DIRECTORY_BYTES:
        raise InvalidScoresError(f"the npz holds more than {_MAX_MEMBERS:,} arrays")
    check_directory_place(end)
    file.seek(0)
    archive = zipfile.ZipFile(file)
    check_entries(file, archive.infolist(), end, safe_point)
    return archive


def _check_packing(name: str, entry: zipfile.ZipInfo | None) -> None:
    if entry is None:
        return
    if entry.flag_bits & FLAG_ENCRYPTED:
        raise InvalidScoresError(f"{name}.npy is protected by a password")
    if entry.compress_type not in _METHODS:
        raise InvalidScoresError(
            f"{name}.npy is packed by the unknown method {entry.compress_type}"
        )


def _read_block(
    member: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any], *, order: Literal["C", "F"]
) -> Block:
    """Fill an array of this shape from what comes next."""
    flat = np.empty(math.prod(shape), dtype=dtype)
    view = flat.view(np.uint8).data
    num_done = 0
    while num_done < len(view):
        piece = member.read(min(_PIECE_BYTES, len(view) - num_done))
        if not piece:
            raise EOFError("it ends too early")
        view[num_done : num_done + len(piece)] = piece
        num_done += len(piece)
    return flat.reshape(shape, order=order)


@contextmanager
def _damage_told(name: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise InvalidScoresError(f"{name}.npy is damaged: {error}") from error
