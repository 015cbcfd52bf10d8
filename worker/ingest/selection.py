"""Which members to read, in which order, and what they are: decided from names alone."""

from collections.abc import Iterable

from worker.ingest.columns import Columns
from worker.ingest.errors import RefusedFileError, RejectCode
from worker.ingest.labelling import FolderLabels, Labelling, TableLabels
from worker.ingest.layout import recognise_layout
from worker.ingest.limits import Limits
from worker.ingest.members import Candidate, Member, RowArchive, Selection, Source, reject
from worker.ingest.names import clean_path, is_system_file, normal_form, printable, twin_key
from worker.ingest.tables import find_tables

_Named = tuple[str, str, int, Member]
"""Normal form of the path, the path, place in the archive, member: sorts by the first three."""


def sort_out(
    archive: Source, limits: Limits, columns: Columns, *, is_part: bool = False
) -> Selection:
    """Decide by tables of labels where there are any, else by class folders.

    `is_part`: the upload is added to a data set.

    Raises:
        IngestError: A table cannot be read.
    """
    if isinstance(archive, RowArchive):
        return archive.select()
    selection = Selection()
    named = _named(archive.members, selection)
    tables = find_tables(archive, [(path, m) for _, path, _, m in named], limits, columns)
    if tables:
        labelling: Labelling = TableLabels(tables, [path for _, path, _, _ in named])
    else:
        readable = (path for _, path, _, member in named if member.refusal is None)
        labelling = FolderLabels(recognise_layout(readable, is_part=is_part))
    selection.warnings += labelling.warnings
    _place(named, labelling, selection)
    selection.rejections += labelling.unused()
    return selection


def _named(members: Iterable[Member], selection: Selection) -> list[_Named]:
    """Return the members whose names can be used, in order of path."""
    named: list[_Named] = []
    for member in members:
        try:
            path = clean_path(member.name)
        except RefusedFileError as error:
            selection.rejections.append(reject(member.name, error))
            continue
        if is_system_file(path):
            selection.num_ignored += 1
        else:
            named.append((normal_form(path), path, member.key, member))
    named.sort()
    return named


def _place(named: list[_Named], labelling: Labelling, selection: Selection) -> None:
    """Fill the selection; of several files with one name the first is taken."""
    taken: dict[str, str] = {}
    for _, path, _, member in named:
        if labelling.is_table(path):
            continue
        try:
            _refuse_unreadable(member)
            _refuse_twin(path, taken)
            place = labelling.place(path)
        except RefusedFileError as error:
            selection.rejections.append(reject(path, error))
        else:
            taken[twin_key(path)] = path
            selection.candidates.append(Candidate(member, path, place))


def _refuse_unreadable(member: Member) -> None:
    if member.refusal is not None:
        raise RefusedFileError(*member.refusal)


def _refuse_twin(path: str, taken: dict[str, str]) -> None:
    twin = taken.get(twin_key(path))
    if twin is None:
        return
    detail = (
        "The archive holds this name more than once."
        if twin == path
        else f"Some systems cannot tell its name from '{printable(twin)}'."
    )
    raise RefusedFileError(RejectCode.DUPLICATE_NAME, detail)
