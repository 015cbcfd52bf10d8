import json
from typing import Any

import pytest

from app.core.storage import BlobStore
from app.http.context import AppContext
from app.models import Dataset, Job, JobState, ResultVersion, Tenant
from tests.support.factories import make_artifact, publish_findings
from tests.support.rows import make_dataset, make_job

IMAGES = [("file", ("a.png", b"one")), ("file", ("../b.png", b"two"))]


@pytest.fixture
def dataset(context: AppContext, tenant: Tenant) -> Dataset:
    with context.database.unit_of_work() as session:
        return make_dataset(session, tenant.id)


@pytest.fixture
def audit(context: AppContext, dataset: Dataset) -> Job:
    """A succeeded audit with a model."""
    with context.database.unit_of_work() as session:
        job = make_job(session, dataset)
        publish_findings(session, job, [])
        make_artifact(session, job, "safetensors", b"weights")
    return job


@pytest.fixture
def path(audit: Job) -> str:
    return f"/v1/jobs/{audit.id}/predict"


def answer(context: AppContext, tenant: Tenant, job_id: str) -> dict[str, Any]:
    """Do what the worker does at the end."""
    content = {"job_id": job_id, "model_job_id": job_id, "classes": ["cat", "dog"], "items": []}
    data = json.dumps(content).encode()
    BlobStore(context.folder.blobs(tenant.id)).put(data)
    with context.database.unit_of_work() as session:
        (job,) = (job for job in session.query(Job) if str(job.id) == job_id)
        version = ResultVersion(tenant_id=tenant.id, job_id=job.id, attempt=1)
        session.add(version)
        session.flush()
        job.state, job.result_version = JobState.SUCCEEDED, version.id
        make_artifact(session, job, "predictions", data)
    return content
