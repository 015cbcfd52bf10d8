"""What a worker wrote of an audit, as the pages read it, and its table of classes with shades."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, sqrt
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from app.findings.query import Verdict
from app.web.text import between, percent

NUM_CLASSES = 12
NUM_SHADES = 5


class Pair(BaseModel):
    """How many samples of one label look like another."""

    given: str
    suggested: str
    count: int


@dataclass(frozen=True, slots=True)
class Cell:
    """One pair; no suspects are no shade."""

    given: str
    suggested: str
    count: int
    shade: int
    """From 0 to `NUM_SHADES`; grows with the root of the count, so that small ones are seen."""


@dataclass(frozen=True, slots=True)
class HeatMap:
    """The classes with the most suspects: a row is a given label, a column what it looks like."""

    classes: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    num_left_out: int
    """Pairs of classes that have suspects but no place here."""

    @classmethod
    def of(cls, pairs: Sequence[Pair]) -> Self:
        """Lay out the pairs of a report."""
        weights: Counter[str] = Counter()
        for pair in pairs:
            weights.update({pair.given: pair.count, pair.suggested: pair.count})
        # A class that is neither given nor suggested anywhere tells nothing here.
        classes = sorted(name for name, _ in weights.most_common(NUM_CLASSES))
        counts = {(pair.given, pair.suggested): pair.count for pair in pairs}
        most = max(counts.values(), default=0)
        rows = [[_cell(given, name, counts, most) for name in classes] for given in classes]
        num_shown = sum(cell.count > 0 for row in rows for cell in row)
        return cls(classes, rows, len(counts) - num_shown)


def _cell(given: str, suggested: str, counts: dict[tuple[str, str], int], most: int) -> Cell:
    count = counts.get((given, suggested), 0)
    shade = ceil(NUM_SHADES * sqrt(count / most)) if count else 0
    return Cell(given, suggested, count, shade)


_NUM_FIRST = 15
_ODD_KINDS = ("off_topic", "duplicate", "ambiguous", "hard")
_UNINFORMATIVE = "uninformative_predictions"
_UNKNOWN = (0.0, 1.0)


class _Part(BaseModel):
    """Reads what it knows; workers of later versions may write more."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class LossHistogram(_Part):
    """Counts of losses between edges, and how many of each group the mixture expects there."""

    edges: list[float]
    counts: list[int]
    expected_counts: dict[str, list[float]]


class ClassRow(_Part):
    """What was found under one given label."""

    label: str
    num_samples: int
    num_flagged: int
    noise_rate_estimate: float | None


class Accuracy(_Part):
    """Shares of samples that the trained network gets right."""

    train_given_labels: float | None = None
    test: float | None = None
    num_test_samples: int = 0


class Structure(_Part):
    """Whether wrong labels gather in some pairs of classes."""

    is_structured: bool | None
    unevenness: float | None


class AuditReport(_Part):
    """An audit as a whole. Rates are shares from 0 to 1."""

    noise_rate: float
    noise_rate_interval: tuple[float, float]
    expected_precision: float | None
    expected_precision_interval: tuple[float, float] | None = None
    """None in reports of earlier versions, as below."""
    expected_recall: float | None
    expected_recall_interval: tuple[float, float] | None = None
    num_samples: int
    num_flagged: int
    num_sure: int | None = None
    """Labels that are surely wrong."""
    num_not_judged: int = 0
    accuracy: Accuracy = Accuracy()
    verdicts: dict[str, int] = {}
    noise_structure: Structure | None = None
    loss_histogram: LossHistogram | None = None
    per_class: list[ClassRow]
    class_pairs: list[Pair]
    fallbacks: list[str] = []
    warnings: list[str] = []
    epochs: list[dict[str, Any]] = []
    run: dict[str, Any] = {}

    @classmethod
    def read(cls, chunks: Iterator[bytes]) -> "AuditReport":
        """Read the stored file."""
        return cls.model_validate_json(b"".join(chunks))

    @property
    def num_judged(self) -> int:
        """Labels that could be judged: all counts and rates are of these."""
        return self.num_samples - self.num_not_judged

    @property
    def largest_class(self) -> int:
        """Samples of the class that has the most."""
        return max((row.num_samples for row in self.per_class), default=0)

    @property
    def learned_too_little(self) -> bool:
        """Whether no label could be told from another: then no share is stated."""
        return _UNINFORMATIVE in self.fallbacks

    @property
    def noise_rate_words(self) -> str:
        """Where the share of wrong labels lies."""
        return between(self.noise_rate_interval)

    @property
    def precision_words(self) -> str | None:
        """Which share of the flagged is wrong; None where none is flagged."""
        return self._share_words(self.expected_precision, self.expected_precision_interval)

    @property
    def recall_words(self) -> str | None:
        """Which share of the wrong labels is flagged; None where none is flagged."""
        return self._share_words(self.expected_recall, self.expected_recall_interval)

    def _share_words(self, share: float | None, interval: tuple[float, float] | None) -> str | None:
        if share is None or not self.num_flagged or interval == _UNKNOWN:
            return None
        return f"about {percent(share)}" if interval is None else between(interval)

    @property
    def num_conflicts(self) -> int:
        """Samples whose picture has another label too: flagged, whatever the network thinks."""
        return self.verdicts.get(Verdict.CONFLICT, 0)

    @property
    def kinds(self) -> list[tuple[str, int]]:
        """Kinds of samples beside mislabelled and clean ones, with how many there are."""
        return [(kind, self.verdicts[kind]) for kind in _ODD_KINDS if self.verdicts.get(kind)]

    @cached_property
    def classes(self) -> Sequence[ClassRow]:
        """Classes, those with the most suspects first."""
        rows = self.per_class
        if self.learned_too_little:
            rows = [row.model_copy(update={"noise_rate_estimate": None}) for row in rows]
        return sorted(rows, key=lambda row: -row.num_flagged)

    @property
    def first_classes(self) -> Sequence[ClassRow]:
        """Those that are always shown."""
        return self.classes[:_NUM_FIRST]

    @property
    def other_classes(self) -> Sequence[ClassRow]:
        """Those that are shown on demand."""
        return self.classes[_NUM_FIRST:]

    @cached_property
    def heat_map(self) -> HeatMap:
        """Which classes are taken for which."""
        return HeatMap.of(self.class_pairs)
