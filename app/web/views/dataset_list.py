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
from app.findings.query import SuspectTally
from app.findings.service import FindingService
from app.jobs.schemas import JobRead
from app.jobs.service import JobService
from app.models import FINAL_STATES


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetRow:
    """A data set with what goes on and what was found."""

    dataset: DatasetSummary
    job: JobRead | None
    """The latest one that takes it in or judges it."""
    audit_id: UUID | None
    """The latest one that has findings: it may be older than `job`."""
    tally: SuspectTally | None
    """Of those findings."""

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
        ids, jobs = [row.id for row in datasets.items], JobService(session, tenant_id, wake_ups)
        latest, audits = jobs.latest(ids), jobs.latest_audits(ids)
        findings = FindingService(session, tenant_id, wake_ups)
        rows = [
            _row(row, latest.get(row.id), audits.get(row.id), findings) for row in datasets.items
        ]
        return cls(rows, datasets.next_cursor)


def _row(
    dataset: DatasetSummary, job: JobRead | None, audit_id: UUID | None, findings: FindingService
) -> DatasetRow:
    tally = None if audit_id is None else findings.tally(str(audit_id))
    return DatasetRow(dataset=dataset, job=job, audit_id=audit_id, tally=tally)
