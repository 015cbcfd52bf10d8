"""Which members to read, in which order, and what they are: decided from names alone."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import overload

import numpy as np
from typing_extensions import override

from worker.files.errors import Refusal, RefusedFileError, RejectCode
from worker.files.limits import Limits
from worker.files.members import FileArchive, Member
from worker.files.names import clean_path, is_system_file, normal_form, printable, twin_key
from worker.stages.ingest.columns import Columns
from worker.stages.ingest.labelling import FolderLabels, Labelling, TableLabels, find_tables
from worker.stages.ingest.layout import (
    Candidate,
    RowArchive,
    Selection,
    Source,
    looks_like_image,
    recognise_layout,
    reject,
)

_Named = tuple[str, str, int, int]
"""Normal form of the path, the path, key and size: sorts by the first three."""


class FileCandidates(Sequence[Candidate]):
    """Candidates that are made on access; eight bytes of each are kept."""

    def __init__(self, archive: FileArchive, labelling: Labelling, keys: Sequence[int]) -> None:
        """Take the members with these keys, which `labelling` places."""
        self._archive = archive
        self._labelling = labelling
        self._keys = keys

    @override
    def __len__(self) -> int:
        return len(self._keys)

    @overload
    def __getitem__(self, index: int) -> Candidate: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Candidate]: ...

    @override
    def __getitem__(self, index: int | slice) -> Candidate | Sequence[Candidate]:
        if isinstance(index, slice):
            return FileCandidates(self._archive, self._labelling, self._keys[index])
        member = self._archive.member(self._keys[index])
        path = clean_path(member.name)
        return Candidate(member, path, self._labelling.place(path))

    @override
    def __iter__(self) -> Iterator[Candidate]:
        return map(self.__getitem__, range(len(self)))


def sort_out(
    archive: Source, limits: Limits, columns: Columns, *, is_part: bool = False
) -> Selection:
    """Find the candidates by tables of labels where there are any, else by class folders.

    `is_part`: the upload is added to a data set.

    Raises:
        UploadError: A table cannot be read.
    """
    if isinstance(archive, RowArchive):
        return archive.select()
    selection = Selection()
    survey = _survey(archive.members, selection)
    files = ((path, key) for _, path, key, _ in survey.named)
    tables = find_tables(archive, files, limits, columns)
    if tables:
        labelling: Labelling = TableLabels(tables, [path for _, path, _, _ in survey.named])
    else:
        labelling = FolderLabels(recognise_layout(survey.examples(), is_part=is_part))
    selection.warnings += labelling.warnings
    keys = _place(survey, labelling, selection)
    selection.candidates = FileCandidates(archive, labelling, keys)
    selection.rejections += labelling.unused()
    return selection


@dataclass(slots=True)
class _Survey:
    """The members whose names can be used."""

    named: list[_Named] = field(default_factory=list)
    """In order of path."""
    refused: dict[int, Refusal] = field(default_factory=dict)
    """Reasons why members cannot be read, by key."""
    _images: dict[str, str] = field(default_factory=dict)
    _others: dict[str, str] = field(default_factory=dict)
    """One path of each folder."""

    def add(self, path: str, member: Member) -> None:
        """Add a member."""
        self.named.append((normal_form(path), path, member.key, member.num_bytes))
        if member.refusal is not None:
            self.refused[member.key] = member.refusal
            return
        folder = path.rpartition("/")[0]
        if folder not in self._images:
            found = self._images if looks_like_image(path) else self._others
            found.setdefault(folder, path)

    def examples(self) -> Iterable[str]:
        """Return one path of each folder, of an image if the folder has one."""
        return {**self._others, **self._images}.values()


def _survey(members: Iterable[Member], selection: Selection) -> _Survey:
    survey = _Survey()
    for member in members:
        try:
            path = clean_path(member.name)
        except RefusedFileError as error:
            selection.rejections.append(reject(member.name, error))
            continue
        if is_system_file(path):
            selection.num_ignored += 1
        else:
            survey.add(path, member)
    survey.named.sort()
    return survey


class Twins:
    """Knows which names were taken, of those that may have a twin."""

    def __init__(self, paths: Iterable[str]) -> None:
        """Look at all names: most share their hash with no other, and so are no twins."""
        hashes = np.fromiter((hash(twin_key(path)) for path in paths), np.int64)
        hashes.sort()
        self._suspects = frozenset(hashes[1:][hashes[1:] == hashes[:-1]].tolist())
        self._taken: dict[str, str] = {}

    def of(self, path: str) -> str | None:
        """Return the name that was taken and is a twin of this one."""
        return self._taken.get(twin_key(path)) if self._suspects else None

    def take(self, path: str) -> None:
        """Note that a name was taken."""
        if self._suspects and hash(key := twin_key(path)) in self._suspects:
            self._taken[key] = path


def _place(survey: _Survey, labelling: Labelling, selection: Selection) -> Sequence[int]:
    """Return the keys of the candidates; of several files of one name the first is taken."""
    twins = Twins(path for _, path, _, _ in survey.named)
    keys = array("q")
    for _, path, key, num_bytes in survey.named:
        if labelling.is_table(path):
            continue
        try:
            _refuse_unreadable(key, survey)
            _refuse_twin(path, twins)
            labelling.place(path)
        except RefusedFileError as error:
            selection.rejections.append(reject(path, error))
        else:
            twins.take(path)
            keys.append(key)
            selection.num_bytes += num_bytes
    return keys


def _refuse_unreadable(key: int, survey: _Survey) -> None:
    refusal = survey.refused.get(key)
    if refusal is not None:
        raise RefusedFileError(*refusal)


def _refuse_twin(path: str, twins: Twins) -> None:
    twin = twins.of(path)
    if twin is None:
        return
    detail = (
        "The archive holds this name more than once."
        if twin == path
        else f"Some systems cannot tell its name from '{printable(twin)}'."
    )
    raise RefusedFileError(RejectCode.DUPLICATE_NAME, detail)
