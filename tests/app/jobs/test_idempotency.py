"""POSTs that may be repeated: one job, whoever asks how often."""

import io
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from starlette.testclient import TestClient

from app.accounts.repository import IdempotencyRepository
from app.core.clock import utc_now
from app.http.context import AppContext
from app.models import Dataset, IdempotencyKey, Job, Tenant
from tests.support.rows import make_dataset
from worker.runtime.sweeper import remove_old_idempotency_keys

KEY = {"Idempotency-Key": "build-17"}
NUM_TWINS = 200


@pytest.fixture
def dataset(context: AppContext, tenant: Tenant) -> Dataset:
    with context.database.unit_of_work() as session:
        return make_dataset(session, tenant.id)


def _audit(client: TestClient, dataset: Dataset, **options: Any) -> Any:
    body = {"dataset_id": str(dataset.id), **options}
    return client.post("/v1/jobs", json=body, headers=KEY)


def _zip(name: str = "cat/1.png") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), b"x")
    return buffer.getvalue()


def _upload(client: TestClient, content: bytes, **fields: str) -> Any:
    return client.post("/v1/datasets", files={"file": ("x.zip", content)}, data=fields, headers=KEY)


def _num_jobs(context: AppContext) -> int:
    with context.database.read() as session:
        return session.query(Job).count()


class TestAudit:
    def test_is_started_once(
        self, client: TestClient, context: AppContext, dataset: Dataset
    ) -> None:
        first, second = _audit(client, dataset), _audit(client, dataset)
        assert (first.status_code, second.status_code) == (202, 202)
        assert first.json() == second.json()
        assert first.headers["location"] == second.headers["location"]
        assert _num_jobs(context) == 1

    def test_of_other_options_is_a_mistake(self, client: TestClient, dataset: Dataset) -> None:
        _audit(client, dataset)
        reply = _audit(client, dataset, seed=5)
        assert (reply.status_code, reply.json()["code"]) == (422, "idempotency_mismatch")

    def test_that_failed_may_be_asked_for_again(self, client: TestClient, dataset: Dataset) -> None:
        reply = client.post("/v1/jobs", json={"dataset_id": str(uuid4())}, headers=KEY)
        assert reply.status_code == 404
        assert _audit(client, dataset).status_code == 202

    def test_of_another_tenant_is_another(
        self, client: TestClient, stranger: TestClient, dataset: Dataset
    ) -> None:
        _audit(client, dataset)
        assert _audit(stranger, dataset).status_code == 404

    def test_is_started_once_by_a_crowd(
        self, client: TestClient, context: AppContext, dataset: Dataset
    ) -> None:
        with ThreadPoolExecutor(NUM_TWINS) as threads:
            asked = [threads.submit(_audit, client, dataset) for _ in range(NUM_TWINS)]
            replies = [reply.result() for reply in asked]
        done = [reply for reply in replies if reply.status_code == 202]
        others = [reply for reply in replies if reply.status_code != 202]
        assert len({reply.json()["job_id"] for reply in done}) == 1
        assert {reply.json()["code"] for reply in others} <= {"idempotency_in_flight"}
        assert all(int(reply.headers["retry-after"]) >= 1 for reply in others)
        assert _num_jobs(context) == 1
        assert _audit(client, dataset).json() == done[0].json()

    def test_is_kept_from_twins_in_other_processes(
        self, client: TestClient, context: AppContext, dataset: Dataset, tenant: Tenant
    ) -> None:
        if context.database.engine.dialect.name == "sqlite":
            return  # has one writer: a twin waits for it
        with context.database.unit_of_work() as session:
            assert IdempotencyRepository(session, tenant.id).try_lock("build-17")
            reply = _audit(client, dataset)
        assert (reply.status_code, reply.json()["code"]) == (409, "idempotency_in_flight")
        assert _audit(client, dataset).status_code == 202

    @pytest.mark.parametrize("key", ["", "two words", "x" * 256])
    def test_takes_no_odd_key(self, client: TestClient, dataset: Dataset, key: str) -> None:
        reply = client.post(
            "/v1/jobs",
            json={"dataset_id": str(dataset.id)},
            headers={"Idempotency-Key": key},
        )
        assert (reply.status_code, reply.json()["code"]) == (422, "validation_error")


class TestUpload:
    def test_is_taken_in_once(self, client: TestClient, context: AppContext) -> None:
        first, second = _upload(client, _zip()), _upload(client, _zip())
        assert (first.status_code, second.status_code) == (202, 202)
        assert first.json() == second.json()
        assert len(client.get("/v1/datasets").json()["items"]) == 1
        files = [path for path in context.folder.root.rglob("*") if path.parent.name == "uploads"]
        assert [path.name for path in files] == [first.json()["dataset_id"]]

    def test_of_another_file_or_with_other_options_is_a_mistake(self, client: TestClient) -> None:
        _upload(client, _zip())
        for reply in (_upload(client, _zip("dog/1.png")), _upload(client, _zip(), audit="none")):
            assert (reply.status_code, reply.json()["code"]) == (422, "idempotency_mismatch")
        assert len(client.get("/v1/datasets").json()["items"]) == 1


class TestKeys:
    def test_are_forgotten_after_two_days(
        self, client: TestClient, context: AppContext, dataset: Dataset
    ) -> None:
        _audit(client, dataset)
        remove_old_idempotency_keys(context.database)
        with context.database.unit_of_work() as session:
            [row] = session.query(IdempotencyKey)
            row.created_at = utc_now() - timedelta(days=3)
        remove_old_idempotency_keys(context.database)
        _audit(client, dataset)
        assert _num_jobs(context) == 2
