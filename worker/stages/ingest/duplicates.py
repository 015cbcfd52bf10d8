"""One picture under several names. They stay different samples: their labels are evidence."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from worker.stages.ingest.sample_file import Brief, SampleFile

MAX_GROUPS = 100
_MAX_PATHS = 20


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """All samples that show one picture."""

    positions: tuple[int, ...]
    samples: tuple[Brief, ...]
    pictures: tuple[int, ...]
    """Of each sample the lowest position that has the very same pixels."""

    @property
    def labels(self) -> list[str]:
        """The different class names that this one picture has."""
        return sorted({sample.class_name for sample in self.samples})

    @property
    def exact(self) -> bool:
        """Whether all are the same file."""
        return len({sample.sha256 for sample in self.samples}) == 1

    @property
    def conflicting(self) -> bool:
        """Whether at least one of the labels must be wrong, if a picture has one class."""
        return len(self.labels) > 1

    @property
    def leaking(self) -> bool:
        """Whether the test split holds a picture that is trained on."""
        return len({sample.split for sample in self.samples}) > 1

    def as_json(self, path_of: Callable[[int], str]) -> dict[str, object]:
        """Return the group for the report, with the first few of its paths, by position."""
        return {
            "group": self.positions[0],
            "kind": "exact" if self.exact else "near",
            "sha256": self.samples[0].sha256,
            "num_samples": len(self.samples),
            "paths": [path_of(position) for position in self.positions[:_MAX_PATHS]],
            "labels": self.labels,
            "conflicting": self.conflicting,
            "leaking": self.leaking,
        }

    def rows(self) -> dict[int, dict[str, object]]:
        """Return what to note of each sample, by position."""
        copies = Counter(sample.sha256 for sample in self.samples)
        counts = Counter(self.pictures)
        return {
            position: {
                "duplicate_group": self.positions[0],
                "duplicate_kind": "exact" if copies[sample.sha256] > 1 else "near",
                "conflicting": self.conflicting,
                "leaking": self.leaking,
                "picture": picture if counts[picture] > 1 else None,
            }
            for position, sample, picture in zip(
                self.positions, self.samples, self.pictures, strict=True
            )
        }


def group_duplicates(
    samples: SampleFile,
    near_pairs: Iterable[tuple[int, int]],
    same_pairs: Iterable[tuple[int, int]],
) -> list[DuplicateGroup]:
    """Join equal files and near pairs; contradictions come first, then leaks, then by position.

    `same_pairs` are those that have the very same pixels in different files.
    """
    certain = [*samples.exact_pairs(), *same_pairs]
    links, same = _Links(certain, near_pairs), _Links(certain)
    groups = [
        DuplicateGroup(
            tuple(positions),
            tuple(samples.brief(position) for position in positions),
            tuple(same.lowest(position) for position in positions),
        )
        for positions in links.groups()
    ]
    return sorted(groups, key=lambda g: (not g.conflicting, not g.leaking, g.positions[0]))


def duplicate_counts(groups: Sequence[DuplicateGroup]) -> Mapping[str, int]:
    """Return how many samples are concerned, by what is wrong with them."""
    kinds = Counter(row["duplicate_kind"] for group in groups for row in group.rows().values())
    return {
        "num_duplicates": kinds["exact"],
        "num_near_duplicates": kinds["near"],
        "num_conflicting": sum(len(g.samples) for g in groups if g.conflicting),
        "num_leaking": sum(len(g.samples) for g in groups if g.leaking),
    }


def duplicate_warnings(groups: Sequence[DuplicateGroup]) -> list[str]:
    """Return what the groups say of the whole data set."""
    exact = [group for group in groups if group.exact]
    near = [group for group in groups if not group.exact]
    return [
        f"{count:,} {'image stands' if count == 1 else 'images stand'} {how}{where}."
        for how, kind in (("", exact), ("with only small changes ", near))
        for where, count in (
            ("under different labels", sum(group.conflicting for group in kind)),
            ("in both the training and the test split", sum(group.leaking for group in kind)),
        )
        if count
    ]


class _Links:
    """Disjoint sets of positions; the lowest stands for its set."""

    def __init__(self, *pairs: Iterable[tuple[int, int]]) -> None:
        """Put the two positions of each pair into one set."""
        self._parent: dict[int, int] = {}
        for low, high in chain(*pairs):
            roots = sorted((self.lowest(low), self.lowest(high)))
            if roots[0] != roots[1]:
                self._parent[roots[1]] = roots[0]

    def groups(self) -> list[list[int]]:
        """Return the sets of two and more, each in order."""
        found: defaultdict[int, list[int]] = defaultdict(list)
        for position in sorted({*self._parent, *self._parent.values()}):
            found[self.lowest(position)].append(position)
        return [positions for positions in found.values() if len(positions) > 1]

    def lowest(self, position: int) -> int:
        """Return what stands for the set of a position."""
        while (above := self._parent.get(position, position)) != position:
            self._parent[position] = self._parent.get(above, above)
            position = above
        return position
