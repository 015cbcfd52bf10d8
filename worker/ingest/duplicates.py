"""Equal images under several names. They stay different samples: their labels are evidence."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from worker.ingest.samples import Sample

MAX_GROUPS = 100
_MAX_PATHS = 20


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """All samples with one content."""

    samples: tuple[Sample, ...]

    @property
    def labels(self) -> list[str]:
        """The different class names that this one image has."""
        return sorted({sample.place.class_name for sample in self.samples})

    @property
    def conflicting(self) -> bool:
        """Whether at least one of the labels must be wrong, if an image has one class."""
        return len(self.labels) > 1

    @property
    def crosses_splits(self) -> bool:
        """Whether the test split holds an image that is trained on."""
        return len({sample.place.split for sample in self.samples}) > 1

    def as_json(self) -> dict[str, object]:
        """Return the group for the report, with the first few of its paths."""
        return {
            "sha256": self.samples[0].sha256,
            "num_samples": len(self.samples),
            "paths": [sample.path for sample in self.samples[:_MAX_PATHS]],
            "labels": self.labels,
            "conflicting": self.conflicting,
        }


def find_duplicates(samples: Sequence[Sample]) -> list[DuplicateGroup]:
    """Return the groups of equal images, contradictions first, then in order of path."""
    first: dict[str, Sample] = {}
    others: defaultdict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        if first.setdefault(sample.sha256, sample) is not sample:
            others[sample.sha256].append(sample)
    groups = [
        DuplicateGroup((first[sha256], *others[sha256])) for sha256 in first if sha256 in others
    ]
    return sorted(groups, key=lambda group: not group.conflicting)


def duplicate_warnings(groups: Sequence[DuplicateGroup]) -> list[str]:
    """Return what the groups say of the whole data set."""
    findings = (
        (sum(group.conflicting for group in groups), "under different labels"),
        (sum(group.crosses_splits for group in groups), "in both the training and the test split"),
    )
    return [
        f"{count:,} {'image stands' if count == 1 else 'images stand'} {where}."
        for count, where in findings
        if count
    ]
