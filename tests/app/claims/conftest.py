"""An audited data set and two reviewers of one tenant."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.accounts.schemas import Scope
from app.http.context import AppContext
from app.models import Dataset, Job, Tenant
from tests.app.conftest import MakeClient
from tests.support.factories import make_samples, publish_findings
from tests.support.rows import make_dataset, make_job

NUM_SAMPLES = 8
Decide = Callable[..., Any]


@pytest.fixture
def job(context: AppContext, tenant: Tenant) -> Job:
    with context.database.unit_of_work() as session:
        dataset = make_dataset(session, tenant.id, classes=["cat", "dog"])
        audit = make_job(session, session.get_one(Dataset, dataset.id))
        publish_findings(session, audit, make_samples(session, dataset, NUM_SAMPLES))
    return audit


@pytest.fixture
def ann(make_client: MakeClient, tenant: Tenant) -> TestClient:
    return make_client(tenant.id, [Scope.READ, Scope.REVIEW])


@pytest.fixture
def bob(make_client: MakeClient, tenant: Tenant) -> TestClient:
    return make_client(tenant.id, [Scope.READ, Scope.REVIEW])


@pytest.fixture
def decide() -> Decide:
    """Have somebody decide on a sample, at the version that it has."""

    def put(client: TestClient, sample_id: str, decision: str, **body: Any) -> Any:
        version = client.get(f"/v1/samples/{sample_id}").headers["etag"]
        reply = client.put(
            f"/v1/samples/{sample_id}/decision",
            json={"decision": decision, **body},
            headers={"If-Match": version},
        )
        assert reply.status_code == 200, reply.text
        return reply.json()

    return put
