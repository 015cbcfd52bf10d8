"""`POST /v1/datasets/{id}/parts`: the next version of a data set begins."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from app.accounts.schemas import Scope
from app.http.context import AppContext
from app.models import Dataset, DatasetState, JobState, Tenant
from tests.app.conftest import MakeClient
from tests.app.jobs.test_finished_upload import send
from tests.app.jobs.test_upload_endpoints import ZIP
from tests.app.uploads.test_endpoints import code
from tests.support.rows import make_dataset, make_job


@pytest.fixture
def dataset(context: AppContext, tenant: Tenant) -> Dataset:
    with context.database.unit_of_work() as session:
        return make_dataset(session, tenant.id, version=3)


def add(client: TestClient, dataset: Dataset, **fields: str) -> Any:
    return client.post(
        f"/v1/datasets/{dataset.id}/parts", files={"file": ("more.zip", ZIP)}, data=fields
    )


class TestCreatePart:
    @pytest.mark.parametrize("way", ["multipart", "resumable"])
    def test_starts_the_next_version(self, client: TestClient, dataset: Dataset, way: str) -> None:
        before = client.get(f"/v1/datasets/{dataset.id}").json()
        if way == "multipart":
            reply = add(client, dataset, audit="none")
        else:
            body = {"upload_id": send(client), "audit": "none"}
            reply = client.post(f"/v1/datasets/{dataset.id}/parts", json=body)
        assert reply.status_code == 202, reply.text
        assert reply.headers["location"] == f"/v1/jobs/{reply.json()['job_id']}"
        made = client.get(f"/v1/datasets/{reply.json()['dataset_id']}").json()
        assert (made["version"], made["parent_id"]) == (4, str(dataset.id))
        assert (made["name"], made["state"]) == ("pets", "pending")
        assert client.get(reply.headers["location"]).json()["kind"] == "ingest"
        assert client.get(f"/v1/datasets/{dataset.id}").json() == before

    def test_may_be_audited_and_have_a_name(self, client: TestClient, dataset: Dataset) -> None:
        reply = add(client, dataset, name="more pets", audit='{"epochs": 3}')
        made = client.get(f"/v1/datasets/{reply.json()['dataset_id']}").json()
        assert made["name"] == "more pets"
        job = client.get(reply.headers["location"]).json()
        assert (job["kind"], job["options"]["epochs"]) == ("audit", 3)

    def test_is_not_made_twice_for_one_key(self, client: TestClient, dataset: Dataset) -> None:
        client.headers["Idempotency-Key"] = "k"
        first, again = add(client, dataset), add(client, dataset)
        assert first.json() == again.json()


class TestRefused:
    def test_of_another_tenant_or_unknown(self, stranger: TestClient, dataset: Dataset) -> None:
        assert code(add(stranger, dataset)) == (404, "not_found")

    @pytest.mark.parametrize("state", [DatasetState.PENDING, DatasetState.FAILED])
    def test_before_the_data_set_is_ready(
        self, client: TestClient, context: AppContext, tenant: Tenant, state: DatasetState
    ) -> None:
        with context.database.unit_of_work() as session:
            dataset = make_dataset(session, tenant.id, state=state)
        assert code(add(client, dataset)) == (409, "dataset_not_ready")

    def test_for_a_data_set_of_scores(
        self, client: TestClient, context: AppContext, tenant: Tenant
    ) -> None:
        with context.database.unit_of_work() as session:
            dataset = make_dataset(session, tenant.id, image_size=None)
        assert code(add(client, dataset)) == (409, "no_images")

    def test_with_a_key_that_may_only_write(
        self, make_client: MakeClient, tenant: Tenant, dataset: Dataset
    ) -> None:
        writer = make_client(tenant.id, [Scope.WRITE, Scope.READ])
        assert code(add(writer, dataset)) == (403, "forbidden")
        assert add(writer, dataset, audit="none").status_code == 202

    def test_what_is_no_archive(self, client: TestClient, dataset: Dataset) -> None:
        reply = client.post(f"/v1/datasets/{dataset.id}/parts", files={"file": b"plain" * 99})
        assert code(reply) == (422, "unknown_archive")


class TestDelete:
    def test_waits_for_a_version_that_still_takes_over_the_samples(
        self, client: TestClient, dataset: Dataset
    ) -> None:
        made = add(client, dataset, audit="none").json()
        assert code(client.delete(f"/v1/datasets/{dataset.id}")) == (409, "dataset_busy")
        client.post(f"/v1/jobs/{made['job_id']}/cancel")
        assert client.delete(f"/v1/datasets/{dataset.id}").status_code == 204
        left = client.get(f"/v1/datasets/{made['dataset_id']}").json()
        assert (left["parent_id"], left["version"]) == (None, 4)

    def test_does_not_wait_for_an_audit_of_a_finished_version(
        self, client: TestClient, context: AppContext, tenant: Tenant, dataset: Dataset
    ) -> None:
        with context.database.unit_of_work() as session:
            later = make_dataset(session, tenant.id, parent_id=dataset.id, version=4)
            make_job(session, later, state=JobState.RUNNING)
        assert client.delete(f"/v1/datasets/{dataset.id}").status_code == 204
