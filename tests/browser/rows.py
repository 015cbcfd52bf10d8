"""What the pages show, straight from the database: the tests of jobs make it the long way."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from app.core.clock import utc_now
from app.core.db import Database
from app.models import Dataset, Job, JobState
from tests.support.factories import make_samples, publish_findings
from tests.support.rows import make_dataset, make_job


class Seed:
    """Makes rows of one tenant, and removes them."""

    def __init__(self, database: Database, tenant_id: UUID, data_dir: Path) -> None:
        self.database = database
        self.tenant_id = tenant_id
        self.data_dir = data_dir
        self._ids: list[UUID] = []

    def dataset(self, **values: Any) -> Dataset:
        with self.database.unit_of_work() as session:
            dataset = make_dataset(session, self.tenant_id, **values)
        self._ids.append(dataset.id)
        return dataset

    def job(self, dataset: Dataset, **values: Any) -> Job:
        """Make a job. Give a running one to nobody: no sweeper may take it away."""
        defaults = {"owner": "nobody", "lease_until": 4e9} if _runs(values) else {}
        with self.database.unit_of_work() as session:
            return make_job(session, dataset, **defaults | values)

    def audited(self, num_samples: int = 8, **values: Any) -> tuple[Dataset, Job]:
        """Make a data set whose audit is done; half of its samples are flagged."""
        dataset = self.dataset(**values)
        with self.database.unit_of_work() as session:
            session.add(dataset)
            samples = make_samples(session, dataset, num_samples)
            now = utc_now()
            job = make_job(session, dataset, started_at=now - timedelta(minutes=4), finished_at=now)
            publish_findings(session, job, samples)
        return dataset, job

    def change(self, job: Job, **values: Any) -> None:
        with self.database.unit_of_work() as session:
            row = session.get_one(Job, job.id)
            for name, value in values.items():
                setattr(row, name, value)

    def remove_all(self) -> None:
        with self.database.unit_of_work() as session:
            rows: Sequence[Dataset | None] = [session.get(Dataset, id_) for id_ in self._ids]
            for row in filter(None, rows):
                session.delete(row)


def _runs(values: dict[str, Any]) -> bool:
    return values.get("state") == JobState.RUNNING
