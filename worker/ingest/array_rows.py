"""An npz with `images` and `labels`: every row becomes a PNG, and so a sample like others."""

import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image
from typing_extensions import override

from worker.files.errors import (
    FailureCode,
    RefusedFileError,
    RejectCode,
    UploadError,
)
from worker.files.limits import Limits, ReadMeter
from worker.files.names import is_printable
from worker.ingest.layout import TEST, TRAIN, Place
from worker.ingest.members import Candidate, FileArchive, Member, RowArchive, Selection, reject
from worker.ingest.spool import Spool
from worker.scores.errors import InvalidScoresError
from worker.scores.npy import NUM_HEAD as NUM_NPY_HEAD
from worker.scores.npy import NpyHeader, read_header

_SPLITS = {"": TRAIN, "train_": TRAIN, "val_": TEST, "test_": TEST}
"""Before `images` and `labels`; MedMNIST names its splits so."""
_IMAGES, _LABELS, _CLASS_NAMES = "images", "labels", "class_names"
_CHANNELS = (1, 3, 4)
_SHIFT = 40
"""A member's key is its part of the data set above this bit, and its row below."""


@dataclass(frozen=True, slots=True)
class _Array:
    """An unpacked array of which any row can be read."""

    file: BinaryIO
    header: NpyHeader

    def rows(self, start: int, count: int) -> npt.NDArray[Any]:
        shape = self.header.shape[1:]
        row_bytes = math.prod(shape) * self.header.dtype.itemsize
        self.file.seek(self.header.num_header_bytes + start * row_bytes)
        data = self.file.read(count * row_bytes)
        return np.frombuffer(data, self.header.dtype).reshape(count, *shape)


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    split: str
    images: _Array
    labels: list[int]


def holds_arrays(members: Iterable[Member]) -> bool:
    """Tell whether an archive is an npz with images."""
    is_empty = True
    for member in members:
        if not member.name.endswith(".npy") or "/" in member.name:
            return False
        is_empty = False
    return not is_empty


class ArrayRows(RowArchive):
    """The rows of all arrays of images."""

    def __init__(self, files: FileArchive, limits: Limits, spool: Spool) -> None:
        """Unpack the arrays and compare their shapes.

        Raises:
            UploadError: They are not images with labels, or too many.
        """
        arrays = _Arrays(files, spool)
        self._parts = [
            _part(arrays, name, split)
            for name, split in _SPLITS.items()
            if f"{name}{_IMAGES}" in arrays.members
        ]
        if not self._parts:
            found = ", ".join(sorted(arrays.members)) or "none"
            raise _invalid(f"there are no arrays 'images' and 'labels'; found: {found}")
        if sum(len(part.labels) for part in self._parts) > limits.max_files:
            detail = f"The arrays hold more than {limits.max_files:,} images."
            raise UploadError(FailureCode.TOO_MANY_FILES, detail)
        self._class_names = _class_names(arrays)

    @override
    def select(self) -> Selection:
        """Return one candidate a row; its label is a number, or the name that belongs to it."""
        selection, candidates = Selection(), []
        for number, part in enumerate(self._parts):
            for row, label in enumerate(part.labels):
                file = f"{row:08d}.png"
                path = f"{part.name}{_IMAGES}/{file}"
                try:
                    place = Place(part.split, self._class_name(label), file)
                except RefusedFileError as error:
                    selection.rejections.append(reject(path, error))
                else:
                    member = Member(path, number << _SHIFT | row, 0)
                    candidates.append(Candidate(member, path, place))
        selection.candidates = candidates
        return selection

    @override
    def read(self, member: Member, meter: ReadMeter) -> bytes:
        part = self._parts[member.key >> _SHIFT]
        pixels = part.images.rows(member.key & ((1 << _SHIFT) - 1), 1)[0]
        meter.add(pixels.nbytes)
        if pixels.ndim == 3 and pixels.shape[2] == 1:
            pixels = pixels[:, :, 0]
        file = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(pixels)).save(file, "PNG")
        return file.getvalue()

    def _class_name(self, label: int) -> str:
        if self._class_names is None:
            return str(label)
        if not 0 <= label < len(self._class_names):
            detail = f"The label {label} is not from 0 to {len(self._class_names) - 1}."
            raise RefusedFileError(RejectCode.INVALID_LABEL, detail)
        return self._class_names[label]


class _Arrays:
    """Unpacks arrays by name."""

    def __init__(self, files: FileArchive, spool: Spool) -> None:
        self.members = {PurePosixPath(m.name).stem: m for m in files.members}
        self._files = files
        self._spool = spool

    def unpack(self, name: str) -> _Array:
        member = self.members.get(name)
        if member is None:
            raise _invalid(f"there is no array '{name}'")
        try:
            with self._files.open(member) as read:
                head = read(NUM_NPY_HEAD)
                header = read_header(head, name)
                if header.num_bytes != member.num_bytes:
                    raise _invalid(f"the header of '{name}' does not fit its size")
                file = self._spool.fill(_after(head, read))
        except InvalidScoresError as error:
            raise _invalid(error.detail) from error
        except RefusedFileError as error:
            raise _invalid(f"'{name}': {error.refusal.detail}") from error
        if header.is_fortran and len(header.shape) > 1:
            raise _invalid(f"'{name}' is stored in Fortran order; save np.ascontiguousarray of it")
        return _Array(file, header)


def _after(head: bytes, read: Any) -> Any:
    """Return a reader that gives `head` again before what follows."""
    pending = [head]
    return lambda num_bytes: pending.pop() if pending else read(num_bytes)


def _part(arrays: _Arrays, name: str, split: str) -> _Part:
    images = arrays.unpack(f"{name}{_IMAGES}")
    labels = arrays.unpack(f"{name}{_LABELS}")
    shape, dtype = images.header.shape, images.header.dtype
    if dtype != np.uint8:
        raise _invalid(f"'{name}{_IMAGES}' must hold uint8 from 0 to 255, not {dtype}")
    is_grey = len(shape) == 3
    if not (is_grey or (len(shape) == 4 and shape[3] in _CHANNELS)) or 0 in shape[1:]:
        raise _invalid(f"'{name}{_IMAGES}' has the shape {shape}, not (N, H, W) or (N, H, W, 3)")
    num_rows = shape[0]
    if labels.header.shape not in {(num_rows,), (num_rows, 1)}:
        raise _invalid(f"'{name}{_LABELS}' has the shape {labels.header.shape}, not ({num_rows},)")
    if labels.header.dtype.kind not in "iu":
        raise _invalid(f"'{name}{_LABELS}' must hold integers, not {labels.header.dtype}")
    return _Part(name, split, images, labels.rows(0, num_rows).reshape(-1).tolist())


def _class_names(arrays: _Arrays) -> list[str] | None:
    if _CLASS_NAMES not in arrays.members:
        return None
    array = arrays.unpack(_CLASS_NAMES)
    if array.header.dtype.kind != "U" or len(array.header.shape) != 1:
        raise _invalid(f"'{_CLASS_NAMES}' must hold texts")
    # Looked at before numpy makes strings of it: for what is no character it has no error.
    texts = array.rows(0, array.header.shape[0])
    points = texts.view(np.dtype(np.uint32).newbyteorder(texts.dtype.byteorder))
    if (points > 0x10FFFF).any():
        raise _invalid(f"'{_CLASS_NAMES}' is no Unicode text")
    names = [str(name).strip() for name in texts]
    if not all(name and is_printable(name) for name in names) or len(set(names)) < len(names):
        raise _invalid(f"'{_CLASS_NAMES}' has an empty, repeated or unprintable name")
    return names


def _invalid(detail: str) -> UploadError:
    return UploadError(FailureCode.INVALID_ARRAYS, f"The npz cannot be used: {detail}.")
