"""Several people's labels for one image: what each said, and which label is made of that."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from worker.files.errors import Refusal, RejectCode
from worker.files.names import is_printable, normal_form

Votes = Mapping[str, str]
"""Class name by annotator."""
_MAX_NAME_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class Annotation:
    """All that was said of one image, and how far it agrees."""

    votes: Votes
    tied: bool
    """Whether several labels were said equally often, so that the lot had to decide."""
    agreement: float | None
    """Share of the annotators who said the given label; none where there is only one."""


def settle(votes: Votes, path: str) -> tuple[str, Annotation]:
    """Return the given label of an image, and what it comes from.

    The label that most annotators said. Of several that were said equally often the one is taken
    whose SHA-256 together with the path is the smallest: the same in each ingest, whatever the
    order of the rows, and no class wins more ties than another.
    """
    counts = Counter(votes.values())
    most = max(counts.values())
    leading = [label for label, count in counts.items() if count == most]
    label = min(leading, key=lambda name: _lot(path, name)) if len(leading) > 1 else leading[0]
    agreement = most / len(votes) if len(votes) > 1 else None
    return label, Annotation(votes, tied=len(leading) > 1, agreement=agreement)


def read_annotator(value: object) -> tuple[str, Refusal | None]:
    """Return an annotator's name, or why there is none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    name = normal_form(str(value)).strip() if isinstance(value, str | int) else ""
    if not name or not is_printable(name) or len(name) > _MAX_NAME_CHARACTERS:
        return "", Refusal(RejectCode.INVALID_ANNOTATOR, "names no annotator that can be shown")
    return name, None


def _lot(path: str, label: str) -> bytes:
    return hashlib.sha256(f"{normal_form(path)}\0{label}".encode()).digest()
