"""What checks are read as."""

from typing import NamedTuple

from app.models import BandAction, Decision, Exclusion


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
