"""What is pinned when a promise is opened, how its checks are drawn, and the rows of the checks."""

import random
from collections.abc import Iterator, Sequence
from math import ceil
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from app.models import BandAction, Decision, Exclusion

SHARES = (0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2)
"""Of the ranked list: convention, fixed beforehand so that no answer can choose the bands."""
MAX_DRAWN = 5_000
"""Checks that are drawn for a stop: more than people answer."""
_ROUNDING = 1e-9
"""Shares have no exact double: 0.29 of 100 samples are 29, not 30."""


class _Terms(BaseModel):
    model_config = ConfigDict(frozen=True)


class BandTerms(_Terms):
    """In an accepted band at most `alpha` is not good, but for a chance of `delta`."""

    action: BandAction
    alpha: float
    delta: float
    num_checks: int
    shares: list[float]
    sizes: list[int]
    """Of the bands, in samples."""


class StopTerms(_Terms):
    """At most `target_share` is left wrong, but for a chance of `alpha`."""

    alpha: float
    target_share: float
    stated_rate: float
    """Where the prior of the share of wrong labels lies."""


def band_sizes(shares: Sequence[float], num_samples: int) -> list[int]:
    """Return the sizes of nested bands of a ranked list, each at least one sample."""
    return [max(1, ceil(share * num_samples - _ROUNDING)) for share in shares]


def draw_bands(seed: int, sizes: Sequence[int], num_checks: int) -> Iterator[list[int]]:
    """Yield for each band the places, from 1, of its checks: a draw of its own from all of it.

    Checks of the inner band are not reused as such: to count them as draws of the wider band would
    draw its inner part more often than its rest. A sample that happens to be drawn again is not
    shown again, for the same eye would say the same: its answer counts in both draws.

    Why no correction is needed for several bands: let b be the first one of which more than alpha
    is not good. Whoever accepts b, or any wider band, has seen the test of b pass. Its m draws are
    uniform whatever came before, since all are made at the opening, so the Clopper-Pearson bound
    is that high with chance delta at most. Bands before b are good, bands behind it need b. The
    bands' tests need not be independent for this, and with shared answers they are not.
    """
    chance = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    for size in sizes:
        yield chance.sample(range(1, size + 1), min(num_checks, size))


def draw_stop(seed: int, num_samples: int) -> list[int]:
    """Return the places, from 1, of the checks of a stop in their order, all different."""
    (places,) = draw_bands(seed, [num_samples], MAX_DRAWN)
    return places


class Check(NamedTuple):
    """A drawn sample and what its check's answer says, as the log has it."""

    band: int
    position: int
    sample_id: int
    suggested_label: int | None
    path: str
    given_label: int
    has_image: bool
    decision: Decision | None
    label: int | None
    reason: Exclusion | None

    @property
    def is_answered(self) -> bool:
        """Whether an answer stands: one that was undone does not."""
        return self.decision is not None

    @property
    def says_wrong(self) -> bool | None:
        """Whether the given label is wrong; None where the answer leaves that open."""
        match self.decision, self.reason:
            case Decision.KEEP, _:
                return False
            case (Decision.RELABEL, _) | (Decision.EXCLUDE, Exclusion.OFF_TOPIC):
                return True
            case _:
                return None

    def is_good(self, action: BandAction) -> bool:
        """Tell whether the bulk action would be right here; who is unsure says no."""
        if action is BandAction.EXCLUDE:
            return self.says_wrong is True
        right_label = self.given_label if self.decision is Decision.KEEP else self.label
        return right_label is not None and right_label == self.suggested_label
