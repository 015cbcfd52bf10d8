"""What the data sets page shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from sqlalchemy.orm import Session

from app.core.pagination import PageRequest
from app.core.queue import WakeUps
from app.datasets.schemas import DatasetSummary
from app.datasets.service import DatasetService
from app.findings.service import FindingService
from app.jobs.schemas import JobRead
from app.jobs.service import JobService
from app.models import FINAL_STATES, JobKind, JobState

_COUNT_UP_TO = 100_000
_JUDGING = frozenset({JobKind.AUDIT, JobKind.SCORE})


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetRow:
    """A data set with its latest job."""

    dataset: DatasetSummary
    job: JobRead | None
    """The latest one that took it in or judged it."""
    num_flagged: int | None
    """Suspects that this job found; none before it has succeeded."""

    @property
    def has_more_flagged(self) -> bool:
        """Whether there are more than were counted."""
        return self.num_flagged is not None and self.num_flagged > _COUNT_UP_TO

    @property
    def is_active(self) -> bool:
        """Whether something about it will change by itself."""
        return self.job is not None and self.job.state not in FINAL_STATES


@dataclass(frozen=True, slots=True)
class DatasetList:
    """One page of rows."""

    rows: Sequence[DatasetRow]
    next_cursor: str | None

    @property
    def is_active(self) -> bool:
        """Whether the page has to be looked at again soon."""
        return any(row.is_active for row in self.rows)

    @classmethod
    def read(cls, session: Session, tenant_id: UUID, wake_ups: WakeUps, page: PageRequest) -> Self:
        """Collect what the slices know."""
        datasets = DatasetService(session, tenant_id).newest(page)
        jobs = JobService(session, tenant_id, wake_ups).latest([row.id for row in datasets.items])
        findings = FindingService(session, tenant_id, wake_ups)
        rows = [_row(row, jobs.get(row.id), findings) for row in datasets.items]
        return cls(rows, datasets.next_cursor)


def _row(dataset: DatasetSummary, job: JobRead | None, findings: FindingService) -> DatasetRow:
    num_flagged = None
    if job is not None and job.state == JobState.SUCCEEDED and job.kind in _JUDGING:
        num_flagged = findings.count_flagged(str(job.id), at_most=_COUNT_UP_TO + 1)
    return DatasetRow(dataset=dataset, job=job, num_flagged=num_flagged)
