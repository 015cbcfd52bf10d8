"""What the page of one sample shows of its training: a curve, and pictures to compare with."""

import json
from dataclasses import dataclass
from typing import Self

from sqlalchemy.orm import Session

from app.accounts.schemas import Principal
from app.core.blobs import Blobs
from app.core.errors import StoreUnavailableError
from app.core.queue import WakeUps
from app.findings.schemas import EvidenceRead
from app.findings.service import EvidenceService
from app.web.text import plural


@dataclass(frozen=True, slots=True)
class SampleEvidence:
    """What the job has kept, in words and as data for the chart."""

    kept: EvidenceRead

    @classmethod
    def read(
        cls,
        session: Session,
        caller: Principal,
        wake_ups: WakeUps,
        blobs: Blobs,
        job_id: str,
        sample_id: str,
    ) -> Self | None:
        """Collect it; the page does without while the store is away.

        Raises:
            NotFoundError: The tenant has no such job, or the job judged no such sample.
            NotFinishedError: It has not succeeded.
        """
        service = EvidenceService(session, caller.tenant_id, wake_ups, blobs)
        try:
            return cls(service.read(job_id, sample_id))
        except StoreUnavailableError:
            return None

    @property
    def has_lookalikes(self) -> bool:
        """Whether there is anything to compare with."""
        return bool(self.kept.like_given or self.kept.like_suggested)

    @property
    def curve_json(self) -> str:
        """Losses by epoch, for the chart."""
        of_class = self.kept.class_losses
        return json.dumps(
            {
                "losses": self.kept.losses,
                "of_class": None if of_class is None else of_class.model_dump(),
            }
        )

    @property
    def curve_sentence(self) -> str | None:
        """What the curve says, where there is a class to compare with."""
        losses, of_class = self.kept.losses, self.kept.class_losses
        if losses is None or of_class is None:
            return None
        num_above = sum(loss > bound for loss, bound in zip(losses, of_class.upper, strict=True))
        return (
            f"In {num_above} of {plural(len(losses), 'epoch')} the loss of this sample was above "
            "that of three quarters of them."
        )

    @property
    def curve_words(self) -> str:
        """The chart for those who do not see it."""
        losses, of_class = self.kept.losses, self.kept.class_losses
        if losses is None:
            return ""
        words = f"Loss of this sample: {losses[0]:.2f} after the first epoch"
        if len(losses) > 1:
            words += f", {losses[-1]:.2f} after the last of {len(losses)}"
        if of_class is not None:
            words += (
                f". The middle half of its class: {of_class.lower[0]:.2f} to "
                f"{of_class.upper[0]:.2f} first, {of_class.lower[-1]:.2f} to "
                f"{of_class.upper[-1]:.2f} last"
            )
        return f"{words}."
