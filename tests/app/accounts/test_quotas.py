from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import Response
from starlette.testclient import TestClient

from app.accounts.schemas import Scope
from app.core.clock import utc_now
from app.http.context import AppContext
from app.models import JobAttempt, JobState, Tenant
from tests.app.accounts.crossings import CROSSINGS
from tests.app.accounts.test_crossing import call
from tests.app.conftest import MakeClient
from tests.support.rows import make_dataset, make_job
from tests.support.tenants import Ids, fill_every_table

_WITH_FILES = {
    "POST /v1/scores", "POST /v1/datasets", "POST /v1/datasets/{dataset_id}/parts",
}  # fmt: skip
_ELSE_REFUSED = {"POST /v1/jobs/{job_id}/predict", "POST /v1/jobs/{job_id}/recalibrate"}
"""For want of a model or of decisions, before any quota is looked at."""


def _limit(app: FastAPI, **values: Any) -> None:
    context: AppContext = app.state.context
    changed = context.settings.model_copy(update=values)
    app.state.context = replace(context, settings=changed)


def _refused(reply: Response, quota: str) -> None:
    assert reply.status_code == 429, reply.text
    problem = reply.json()
    assert (problem["code"], problem["quota"]) == ("quota_exceeded", quota)
    assert int(reply.headers["retry-after"]) > 0


def _queues(app: FastAPI) -> Iterator[str]:
    """Yield the routes that queue a job, as their replies show."""
    for path, operations in app.openapi()["paths"].items():
        for method, operation in operations.items():
            route = f"{method.upper()} {path}"
            replies = operation["responses"]
            content = replies.get("202", {}).get("content", {}).get("application/json", {})
            name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
            schema = app.openapi()["components"]["schemas"].get(name, {})
            if route in _ELSE_REFUSED:
                continue
            if "job_id" in schema.get("properties", {}) or path.endswith("/retry"):
                yield route


class TestQueuedJobs:
    def test_are_limited_on_every_route_that_queues_one(
        self, app: FastAPI, context: AppContext, make_client: MakeClient
    ) -> None:
        _limit(app, max_tenant_queued_jobs=1)
        with context.database.unit_of_work() as session:
            ids = fill_every_table(session, "full", context.pepper)
        client = make_client(ids.tenant_id, [*Scope])
        routes = list(_queues(app))
        assert len(routes) >= 4
        for route in routes:
            _refused(_queue(client, route, ids), "queued_jobs")

    def test_do_not_count_what_runs_and_what_others_queued(
        self, app: FastAPI, context: AppContext, client: TestClient, tenant: Tenant
    ) -> None:
        _limit(app, max_tenant_queued_jobs=1)
        with context.database.unit_of_work() as session:
            dataset = make_dataset(session, tenant.id)
            make_job(session, dataset, state=JobState.RUNNING)
            fill_every_table(session, "others")
        wanted = {"dataset_id": str(dataset.id)}
        assert client.post("/v1/jobs", json=wanted).status_code == 202
        _refused(client.post("/v1/jobs", json=wanted), "queued_jobs")


def _queue(client: TestClient, route: str, ids: Ids) -> Response:
    if route in _WITH_FILES:
        path = route.split(" ")[1].replace("{dataset_id}", ids.dataset_id)
        return client.post(path, files={"file": ("x", b"PK\x03\x04")})
    return call(client, route, CROSSINGS[route], ids)


class TestGpuMinutes:
    @pytest.fixture
    def dataset_id(self, context: AppContext, tenant: Tenant) -> str:
        """Of a data set that was trained on for two minutes this month."""
        with context.database.unit_of_work() as session:
            dataset = make_dataset(session, tenant.id)
            job = make_job(session, dataset, state=JobState.SUCCEEDED)
            now = utc_now()
            for stage, seconds in (("train", 90.0), ("train", 30.0), ("export", 9000.0)):
                session.add(
                    JobAttempt(
                        tenant_id=tenant.id, job_id=job.id, attempt=1, owner="x", stage=stage,
                        started_at=now, seconds=seconds,
                    )
                )  # fmt: skip
            before = now - timedelta(days=40)
            session.add(
                JobAttempt(
                    tenant_id=tenant.id, job_id=job.id, attempt=1, owner="x", stage="train",
                    started_at=before, seconds=9000.0,
                )
            )  # fmt: skip
            return str(dataset.id)

    def test_end_audits_but_no_other_work(
        self, app: FastAPI, client: TestClient, dataset_id: str
    ) -> None:
        _limit(app, max_tenant_gpu_minutes=3)
        assert client.post("/v1/jobs", json={"dataset_id": dataset_id}).status_code == 202
        _limit(app, max_tenant_gpu_minutes=2)
        reply = client.post("/v1/jobs", json={"dataset_id": dataset_id})
        _refused(reply, "gpu_minutes")
        assert int(reply.headers["retry-after"]) <= 31 * 24 * 3600
        exports = client.post(f"/v1/datasets/{dataset_id}/exports", json={"format": "csv"})
        assert exports.status_code == 202

    def test_are_shown_with_all_other_quotas(
        self, app: FastAPI, client: TestClient, dataset_id: str
    ) -> None:
        assert dataset_id
        _limit(app, max_tenant_gpu_minutes=3, max_tenant_bytes=7)
        usage = client.get("/v1/usage").json()
        assert usage["period_start"].endswith("-01T00:00:00Z")
        assert {row["name"]: (row["used"], row["limit"]) for row in usage["quotas"]} == {
            "bytes": (0, 7), "samples": (0, None), "queued_jobs": (0, None),
            "running_jobs": (0, None), "gpu_minutes": (2, 3), "requests_per_minute": (None, None),
        }  # fmt: skip


class TestSamples:
    def test_refuse_an_upload_at_once_where_there_is_room_for_none(
        self, app: FastAPI, client: TestClient, context: AppContext, tenant: Tenant
    ) -> None:
        with context.database.unit_of_work() as session:
            make_dataset(session, tenant.id, num_samples=5)
        form = {"file": ("x.zip", b"PK\x03\x04")}
        _limit(app, max_tenant_samples=5)
        _refused(client.post("/v1/datasets", files=form), "samples")
        _limit(app, max_tenant_samples=6)
        assert client.post("/v1/datasets", files=form).status_code == 202


class TestOwnQuotas:
    def test_stand_above_those_of_the_service(
        self, app: FastAPI, client: TestClient, context: AppContext, tenant: Tenant
    ) -> None:
        _limit(app, max_tenant_queued_jobs=0)
        with context.database.unit_of_work() as session:
            dataset = make_dataset(session, tenant.id)
            session.get_one(Tenant, tenant.id).max_queued_jobs = 1
        wanted = {"dataset_id": str(dataset.id)}
        assert client.post("/v1/jobs", json=wanted).status_code == 202
        _refused(client.post("/v1/jobs", json=wanted), "queued_jobs")

    def test_a_repetition_is_answered_though_the_quota_is_used_up(
        self, app: FastAPI, client: TestClient, context: AppContext, tenant: Tenant
    ) -> None:
        _limit(app, max_tenant_queued_jobs=1)
        with context.database.unit_of_work() as session:
            dataset = make_dataset(session, tenant.id)
        wanted, key = {"dataset_id": str(dataset.id)}, {"Idempotency-Key": "once"}
        first, again = (client.post("/v1/jobs", json=wanted, headers=key) for _ in range(2))
        assert first.status_code == again.status_code == 202
        assert first.json() == again.json()
