"""Which members to read, in which order, and what they are: decided from names alone."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from worker.ingest.errors import RefusedFileError, RejectCode
from worker.ingest.layout import Layout, Place, recognise_layout
from worker.ingest.members import Member
from worker.ingest.names import clean_path, is_system_file, normal_form, printable, twin_key


@dataclass(frozen=True, slots=True)
class Rejection:
    """One file that becomes no sample."""

    path: str
    code: RejectCode
    detail: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that is a sample if it is an image."""

    member: Member
    path: str
    place: Place


@dataclass(slots=True)
class Selection:
    """The table of contents, sorted out."""

    layout: Layout
    candidates: list[Candidate] = field(default_factory=list)
    """In order of path, which does not depend on the packing."""
    rejections: list[Rejection] = field(default_factory=list)
    num_ignored: int = 0
    """Hidden and system files."""


_Named = tuple[str, str, int, Member]
"""Normal form of the path, the path, place in the archive, member: sorts by the first three."""


def sort_out(members: Iterable[Member]) -> Selection:
    """Give every member its place, or the reason why it has none."""
    named: list[_Named] = []
    rejections: list[Rejection] = []
    num_ignored = 0
    for member in members:
        try:
            path = clean_path(member.name)
        except RefusedFileError as error:
            rejections.append(reject(member.name, error))
            continue
        if is_system_file(path):
            num_ignored += 1
        else:
            named.append((normal_form(path), path, member.key, member))
    named.sort()
    selection = Selection(
        recognise_layout(path for _, path, _, member in named if member.refusal is None),
        rejections=rejections,
        num_ignored=num_ignored,
    )
    _place(named, selection)
    return selection


def reject(name: str, error: RefusedFileError) -> Rejection:
    """Note a refused file under a name that can be shown."""
    return Rejection(printable(name), *error.refusal)


def _place(named: list[_Named], selection: Selection) -> None:
    """Fill the selection; of several files with one name the first is taken."""
    taken: dict[str, str] = {}
    for _, path, _, member in named:
        try:
            _refuse_unreadable(member)
            _refuse_twin(path, taken)
            place = _labelled_place(path, selection.layout)
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


def _labelled_place(path: str, layout: Layout) -> Place:
    place = layout.place(path)
    if place is None:
        raise RefusedFileError(RejectCode.NO_LABEL, "The file lies in no class folder.")
    return place
