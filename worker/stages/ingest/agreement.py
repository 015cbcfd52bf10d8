"""Several annotators' labels for one image: which label is given, and how far they agree."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from worker.files.errors import Refusal, RejectCode
from worker.files.names import is_printable, normal_form

Votes = Mapping[str, str]
"""Class name by annotator."""
_MAX_NAME_CHARACTERS = 100
MAX_ANNOTATORS = 100
"""As many are listed in the report, those with most labels first."""


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


class AgreementMeter:
    """Counts image by image; what it keeps grows with the classes and annotators only."""

    def __init__(self) -> None:
        """Start with no image."""
        self._num_labels = Counter[str]()
        self._num_agreeing = Counter[str]()
        self._num_pairs = Counter[str]()
        self._values = Counter[str]()
        self._disagreement = 0.0
        self._share_sum = 0.0
        self._num_compared = 0
        self._num_tied = 0

    def add(self, annotation: Annotation) -> None:
        """Take in one image."""
        self._num_labels.update(annotation.votes.keys())
        if annotation.agreement is None:
            return
        self._num_compared += 1
        self._num_tied += annotation.tied
        self._share_sum += annotation.agreement
        self._compare(annotation.votes)

    def alpha(self) -> float | None:
        """Return Krippendorff's alpha for nominal values: 1 is agreement, 0 as by chance.

        From the coincidences of all pairs within images, for any number of annotators and missing
        labels (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability"). None where it is
        not defined: no image has two labels, or all labels are the same.
        """
        num_values = self._values.total()
        expected = num_values**2 - sum(count**2 for count in self._values.values())
        if not expected:
            return None
        return 1.0 - (num_values - 1) * self._disagreement / expected

    def report(self) -> dict[str, Any] | None:
        """Return the figures of the data set; None where no annotator is known."""
        if not self._num_labels:
            return None
        return {
            "num_annotators": len(self._num_labels),
            "num_compared": self._num_compared,
            "num_tied": self._num_tied,
            "mean_agreement": self._share_sum / self._num_compared if self._num_compared else None,
            "krippendorff_alpha": self.alpha(),
            "annotators": [
                {"name": name, "num_labels": count, "agreement": self._agreement_of(name)}
                for name, count in sorted(
                    self._num_labels.items(), key=lambda item: (-item[1], item[0])
                )[:MAX_ANNOTATORS]
            ],
        }

    def _compare(self, votes: Votes) -> None:
        counts = Counter(votes.values())
        num_others = len(votes) - 1
        self._values.update(counts)
        num_unlike = len(votes) ** 2 - sum(count**2 for count in counts.values())
        self._disagreement += num_unlike / num_others
        for name, label in votes.items():
            self._num_pairs[name] += num_others
            self._num_agreeing[name] += counts[label] - 1

    def _agreement_of(self, name: str) -> float | None:
        pairs = self._num_pairs[name]
        return self._num_agreeing[name] / pairs if pairs else None
