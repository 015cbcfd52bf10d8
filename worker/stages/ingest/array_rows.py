"""An npz with `images` and `labels`: every row becomes a PNG file, and so a sample."""

import io
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image
from typing_extensions import override

from worker.files.errors import (
    FailureCode,
    RefusedFileError,
    RejectCode,
    UnreadableDataError,
    UploadError,
)
from worker.files.limits import Limits, ReadMeter
from worker.files.members import FileArchive, Member, Spool
from worker.files.names import is_printable
from worker.files.npy import ArrayFile, texts_of
from worker.files.npz import Npz
from worker.stages.ingest.layout import TEST, TRAIN, Candidate, Place, RowArchive, Selection, reject

_SPLITS = {"": TRAIN, "train_": TRAIN, "val_": TEST, "test_": TEST}
"""Before `images` and `labels`; MedMNIST names its splits so."""
_IMAGES, _LABELS, _CLASS_NAMES = "images", "labels", "class_names"
_CHANNELS = (1, 3, 4)
_SHIFT = 40
"""The bits of a member's key from this one on are its part, the lower ones its row."""


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    split: str
    images: ArrayFile
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
        try:
            self._parts, self._class_names = _read_arrays(Npz(files), spool)
        except UnreadableDataError as error:
            raise _invalid(error.detail) from error
        if sum(len(part.labels) for part in self._parts) > limits.max_files:
            detail = f"The arrays hold more than {limits.max_files:,} images."
            raise UploadError(FailureCode.TOO_MANY_FILES, detail)

    @override
    def select(self) -> Selection:
        """Return one candidate per row; its class is the number, or the name with that number."""
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


def _read_arrays(npz: Npz, spool: Spool) -> tuple[list[_Part], list[str] | None]:
    names = npz.names
    parts = [
        _part(npz, name, split, spool)
        for name, split in _SPLITS.items()
        if f"{name}{_IMAGES}" in names
    ]
    if not parts:
        found = ", ".join(sorted(names)) or "none"
        raise _invalid(f"there are no arrays 'images' and 'labels'; found: {found}")
    return parts, _class_names(npz, spool) if _CLASS_NAMES in names else None


def _part(npz: Npz, name: str, split: str, spool: Spool) -> _Part:
    images = npz.unpack(f"{name}{_IMAGES}", spool)
    labels = npz.unpack(f"{name}{_LABELS}", spool)
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


def _class_names(npz: Npz, spool: Spool) -> list[str]:
    array = npz.unpack(_CLASS_NAMES, spool)
    if array.header.dtype.kind != "U" or len(array.header.shape) != 1:
        raise _invalid(f"'{_CLASS_NAMES}' must hold texts")
    texts = texts_of(array.rows(0, array.header.shape[0]), f"'{_CLASS_NAMES}'")
    names = [text.strip() for text in texts]
    if not all(name and is_printable(name) for name in names) or len(set(names)) < len(names):
        raise _invalid(f"'{_CLASS_NAMES}' has an empty, repeated or unprintable name")
    return names


def _invalid(detail: str) -> UploadError:
    return UploadError(FailureCode.INVALID_ARRAYS, f"The npz cannot be used: {detail}.")
