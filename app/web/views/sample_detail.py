"""What the page of one sample shows: decisions, a curve, and pictures to compare with."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from sqlalchemy.orm import Session

from app.accounts.schemas import Principal
from app.claims.schemas import ClaimRead
from app.claims.service import ClaimService
from app.core.blobs import Blobs
from app.core.errors import StoreUnavailableError
from app.core.pagination import PageRequest
from app.core.queue import WakeUps
from app.datasets.schemas import SampleRead
from app.datasets.service import DatasetService
from app.findings.schemas import ClassShare, EvidenceRead, FindingPlace, Twin
from app.findings.service import EvidenceService, FindingService
from app.reviews.schemas import LogEntryRead, LogOrder
from app.reviews.service import History
from app.web.text import plural
from app.web.views.queue_filters import QueueFilters
from app.web.views.tiles import Tile


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


_NUM_ENTRIES = 50
_NUM_TWINS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleDetail:
    """A sample, what one audit says of it, and what became of it."""

    job_id: str
    dataset_id: UUID
    dataset_name: str
    sample: SampleRead
    place: FindingPlace
    log: Sequence[LogEntryRead]
    """The latest decisions, newest first."""
    has_more_log: bool
    filters: QueueFilters
    tile: Tile
    twins: Sequence[Twin]
    """Samples that show the very same picture, the first ones."""
    of_share: bool
    """Whether its neighbours are those that the reviewer holds."""

    @property
    def chances(self) -> list[ClassShare]:
        """The classes that it may be of, the suggestion among them, the most probable first."""
        finding = self.place.finding
        suggestion = ClassShare(
            label=finding.suggested_label, probability=finding.suggested_confidence
        )
        shares = [suggestion, *finding.likely_classes]
        return sorted(shares, key=lambda share: -share.probability)

    @property
    def search(self) -> str:
        """What is added to the addresses of its neighbours."""
        return "share=yes" if self.of_share else self.filters.search()

    @classmethod
    def read(
        cls,
        session: Session,
        caller: Principal,
        wake_ups: WakeUps,
        job_id: str,
        sample_id: str,
        filters: QueueFilters,
        *,
        of_share: bool = False,
    ) -> Self:
        """Collect what the slices know.

        Raises:
            NotFoundError: The tenant has no such job, or the job judged no such sample.
            NotFinishedError: It has not succeeded.
        """
        findings = FindingService(session, caller.tenant_id, wake_ups)
        place = findings.place(job_id, sample_id, filters.query())
        twins = findings.twins(job_id, [sample_id]).get(sample_id, [])
        datasets = DatasetService(session, caller.tenant_id)
        sample = datasets.read_sample(sample_id)
        dataset_id = str(sample.dataset_id)
        claims = ClaimService(session, caller, wake_ups)
        if of_share:
            place = _among(claims.held(job_id).items, place)
        claim = claims.held_on(job_id, sample_id)
        log = History(session, caller).log(
            dataset_id,
            PageRequest(limit=_NUM_ENTRIES),
            sample_id=sample_id,
            step_id=None,
            order=LogOrder.NEWEST_FIRST,
        )
        return cls(
            job_id=job_id,
            dataset_id=sample.dataset_id,
            dataset_name=datasets.find(dataset_id).name,
            sample=sample,
            place=place,
            log=log.items,
            has_more_log=log.next_cursor is not None,
            filters=filters,
            tile=_tile(place, claim, twins),
            twins=twins[:_NUM_TWINS],
            of_share=of_share,
        )


def _tile(place: FindingPlace, claim: ClaimRead | None, twins: Sequence[Twin]) -> Tile:
    if claim is None:
        return Tile.of_finding(place.finding, twins)
    return Tile.of_claim(claim, () if claim.blind else twins)


def _among(held: Sequence[ClaimRead], place: FindingPlace) -> FindingPlace:
    """Return a place whose neighbours are those held that come before and after it."""
    ids = [claim.sample_id for claim in held]
    here = place.finding.sample_id
    at = ids.index(here) if here in ids else 0
    before = ids[at - 1] if at > 0 else None
    after = next((other for other in ids[at:] if other != here), None)
    return FindingPlace(finding=place.finding, previous_id=before, next_id=after)
