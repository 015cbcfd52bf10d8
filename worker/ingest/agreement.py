"""How far the annotators of a data set agree."""

from collections import Counter
from typing import Any

from worker.ingest.annotators import Annotation, Votes

MAX_ANNOTATORS = 100
"""As many are listed in the report, those with most labels first."""


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
