"""Candidates and rejected files of an upload, and the class folders that label them.

A path is `[wrapper/][train|test/]<class>/…/<image>`.
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

from worker.files.errors import RefusedFileError, RejectCode
from worker.files.limits import ReadMeter
from worker.files.members import FileArchive, Member
from worker.files.names import normal_form, printable
from worker.stages.ingest.agreement import Annotation

TRAIN = "train"
TEST = "test"
_SPLITS = {
    "train": TRAIN,
    "training": TRAIN,
    "test": TEST,
    "testing": TEST,
    "val": TEST,
    "valid": TEST,
    "validation": TEST,
}
_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp")
_Folders = tuple[str, ...]


class Place(NamedTuple):
    """Split and class of one file, told by folders or a table."""

    split: str
    class_name: str
    file: str
    """Path below the class folder."""
    annotation: Annotation | None = None
    """The labels of the annotators, where a table has several."""


class Candidate(NamedTuple):
    """A file or row that becomes a sample if it is an image."""

    member: Member
    path: str
    place: Place


@dataclass(frozen=True, slots=True)
class Rejection:
    """One file that becomes no sample."""

    path: str
    code: RejectCode
    detail: str


def reject(name: str, error: RefusedFileError) -> Rejection:
    """Return a rejection under a printable name."""
    return Rejection(printable(name), *error.refusal)


@dataclass(slots=True)
class Selection:
    """Candidates and rejected files, by the table of contents alone."""

    warnings: list[str] = field(default_factory=list)
    candidates: Sequence[Candidate] = ()
    """Files sorted by path, independent of the archive's order; rows in their order."""
    num_bytes: int = 0
    """Claimed size of all candidates; 0 for rows, whose size is unknown."""
    rejections: list[Rejection] = field(default_factory=list)
    num_ignored: int = 0
    """Hidden and system files."""


@runtime_checkable
class RowArchive(Protocol):
    """Rows of a table or of arrays, each with its label."""

    def read(self, member: Member, meter: ReadMeter) -> bytes:
        """Return the image of one row.

        Raises:
            RefusedFileError: The row holds none.
            UploadError: The upload as a whole turns out to be too much.
        """

    def select(self) -> Selection:
        """Return the rows as candidates."""


Source: TypeAlias = FileArchive | RowArchive


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders above the class folders."""

    wrapper: _Folders
    has_splits: bool
    split: str = TRAIN
    """Split of all files where there are no split folders."""
    warnings: tuple[str, ...] = ()

    def place(self, path: str) -> Place | None:
        """Return split and class of a file; None if it lies in no class folder."""
        parts = tuple(normal_form(path).split("/"))
        if parts[: len(self.wrapper)] != self.wrapper:
            return None
        below = parts[len(self.wrapper) :]
        split: str | None = self.split
        if self.has_splits:
            split, below = _SPLITS.get(below[0].casefold()), below[1:]
        if split is None or len(below) < 2:
            return None
        return Place(split, sys.intern(below[0]), "/".join(below[1:]))


def recognise_layout(paths: Iterable[str], *, is_part: bool = False) -> Layout:
    """Find the wrapper folders and the split folders that these files share.

    A part that is added to a data set may hold one split alone: its folder is no mere wrapper.

    Files named as images decide; a README or a folder of annotations beside the classes does
    not. Folders that hold nothing but one more folder of folders are wrappers. The innermost
    folder above the files is never one: a single class stays visible as a single class.
    """
    folders = _image_folders(paths)
    depth = 0
    while (
        len({folder[depth] for folder in folders if len(folder) > depth}) == 1
        and max(map(len, folders)) > depth + 1
    ):
        depth += 1
    deepest = max(folders, key=len, default=())
    heads = {folder[depth] for folder in folders if len(folder) > depth}
    splits = {head for head in heads if head.casefold() in _SPLITS}
    has_train = any(_SPLITS[head.casefold()] == TRAIN for head in splits)
    mixed = has_train and splits != heads and len(deepest) > depth + 1
    return Layout(
        wrapper=deepest[:depth],
        has_splits=has_train and splits == heads,
        split=(is_part and depth and split_of(deepest[depth - 1])) or TRAIN,
        warnings=(_mixed_warning(splits, heads - splits),) if mixed else (),
    )


def _image_folders(paths: Iterable[str]) -> set[_Folders]:
    """Return the folders of files named as images, or of all files if there are none."""
    every, of_images = set(), set()
    for path in paths:
        folder = path.rpartition("/")[0]
        every.add(folder)
        if looks_like_image(path):
            of_images.add(folder)
    return {tuple(normal_form(folder).split("/")) for folder in of_images or every if folder}


def _mixed_warning(splits: set[str], others: set[str]) -> str:
    return (
        f"The folders {_listed(splits)} look like splits, but were taken as classes, because "
        f"{_listed(others)} stand beside them."
    )


def _listed(names: set[str]) -> str:
    return ", ".join(f"'{printable(name)}'" for name in sorted(names)[:5])


def split_of(name: str) -> str | None:
    """Return the split that a folder or a table means by this name."""
    return _SPLITS.get(name.strip().casefold())


def looks_like_image(path: str) -> bool:
    """Tell whether a file name has the ending of an image that is read."""
    return path.lower().endswith(_IMAGE_SUFFIXES)
