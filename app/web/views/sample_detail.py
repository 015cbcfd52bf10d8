"""What the page of one sample shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from sqlalchemy.orm import Session

from app.accounts.schemas import Principal
from app.core.pagination import PageRequest
from app.core.queue import WakeUps
from app.datasets.schemas import SampleRead
from app.datasets.service import DatasetService
from app.findings.schemas import FindingPlace
from app.findings.service import FindingService
from app.reviews.history import History
from app.reviews.schemas import LogEntryRead, LogOrder
from app.web.views.queue_filters import QueueFilters

_NUM_ENTRIES = 50


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

    @classmethod
    def read(
        cls,
        session: Session,
        caller: Principal,
        wake_ups: WakeUps,
        job_id: str,
        sample_id: str,
        filters: QueueFilters,
    ) -> Self:
        """Collect what the slices know.

        Raises:
            NotFoundError: The tenant has no such job, or the job judged no such sample.
            NotFinishedError: It has not succeeded.
        """
        findings = FindingService(session, caller.tenant_id, wake_ups)
        place = findings.place(job_id, sample_id, filters.query())
        datasets = DatasetService(session, caller.tenant_id)
        sample = datasets.read_sample(sample_id)
        dataset_id = str(sample.dataset_id)
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
        )
