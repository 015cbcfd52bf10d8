"""Which classes are taken for which, as a table with shades."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Self

from pydantic import BaseModel

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
