"""An audited data set, and short ways to decide on its samples."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from app.core.ids import format_sample_id
from app.http.context import AppContext
from app.models import Dataset, Job, Sample, Tenant
from tests.support.factories import make_samples, publish_findings
from tests.support.rows import make_dataset, make_job

NUM_SAMPLES = 8
CLASSES = ["cat", "dog"]

Decide = Callable[..., Any]


def audit(context: AppContext, dataset: Dataset) -> Job:
    """Publish an audit that suggests the other class for each sample."""
    with context.database.unit_of_work() as session:
        job = make_job(session, session.get_one(Dataset, dataset.id))
        samples = session.scalars(
            select(Sample).where(Sample.dataset_id == dataset.id).order_by(Sample.position)
        )
        publish_findings(session, job, [*samples])
    return job


@pytest.fixture
def dataset(context: AppContext, tenant: Tenant) -> Dataset:
    with context.database.unit_of_work() as session:
        return make_dataset(session, tenant.id, classes=CLASSES)


@pytest.fixture
def sample_ids(context: AppContext, dataset: Dataset) -> list[str]:
    """Public ids by rank; cat, dog, cat, …"""
    with context.database.unit_of_work() as session:
        samples = make_samples(session, session.get_one(Dataset, dataset.id), NUM_SAMPLES)
        return [format_sample_id(sample.id) for sample in samples]


@pytest.fixture
def job(context: AppContext, dataset: Dataset, sample_ids: list[str]) -> Job:
    """A succeeded audit that suggests the other class for each sample."""
    assert sample_ids
    return audit(context, dataset)


@pytest.fixture
def path(dataset: Dataset) -> str:
    return f"/v1/datasets/{dataset.id}/decisions"


@pytest.fixture
def decide(client: TestClient) -> Decide:
    """Decide on a sample at the version that it has."""

    def put(sample_id: str, decision: str, **body: Any) -> Any:
        version = client.get(f"/v1/samples/{sample_id}").headers["etag"]
        reply = client.put(
            f"/v1/samples/{sample_id}/decision",
            json={"decision": decision, **body},
            headers={"If-Match": version},
        )
        assert reply.status_code == 200, reply.text
        return reply.json()

    return put
