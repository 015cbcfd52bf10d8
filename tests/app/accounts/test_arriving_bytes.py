"""The quota of bytes holds while bodies arrive, also where they say nothing of their size."""

import threading
from collections.abc import Iterator
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy import func, select
from starlette.testclient import TestClient

from app.accounts.quotas import ByteReservation
from app.accounts.schemas import QuotaExceededError
from app.core.db import Database
from app.core.settings import Settings
from app.http.context import AppContext
from app.models import Job, JobState, Tenant, Upload
from tests.app.accounts.test_quotas import _limit, _refused
from tests.app.asgi import post
from tests.support.factories import make_artifact, publish_findings
from tests.support.rows import make_dataset, make_job, make_tenant

LIMIT = 1_000_000
BOUNDARY = "b"
HEADERS = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def unannounced(num_bytes: int) -> Iterator[bytes]:
    """Yield a form with a zip file of this size, sent in chunks."""
    yield f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.zip"'.encode()
    yield b"\r\n\r\nPK\x03\x04"
    yield bytes(num_bytes - 4)
    yield f"\r\n--{BOUNDARY}--\r\n".encode()


def num_announced(context: AppContext) -> int:
    with context.database.read() as session:
        return session.scalar(select(func.count()).select_from(Upload)) or 0


def used_bytes(client: TestClient) -> int:
    quotas = client.get("/v1/usage").json()["quotas"]
    return next(int(quota["used"]) for quota in quotas if quota["name"] == "bytes")


@pytest.fixture
def model(context: AppContext, tenant: Tenant) -> Job:
    """A succeeded audit with a model of one byte."""
    with context.database.unit_of_work() as session:
        job = make_job(session, make_dataset(session, tenant.id))
        publish_findings(session, job, [])
        make_artifact(session, job, "safetensors", b"w")
    return job


def watched(context: AppContext, chunks: Iterator[bytes], sizes: list[int]) -> Iterator[bytes]:
    """Pass the chunks on, and note how much lies on the disk before each."""
    for chunk in chunks:
        sizes.append(sum(file.stat().st_size for file in context.folder.incoming.glob("*.part")))
        yield chunk


class TestUpload:
    def test_that_says_no_size_fills_the_disk_no_further_than_the_quota(
        self, app: FastAPI, context: AppContext, client: TestClient
    ) -> None:
        _limit(app, max_tenant_bytes=LIMIT)
        sizes: list[int] = []
        head, start, content, end = unannounced(64 * LIMIT)
        pieces = (content[at : at + LIMIT // 2] for at in range(0, len(content), LIMIT // 2))
        chunks = watched(context, iter([head, start, *pieces, end]), sizes)
        headers = HEADERS | {"Authorization": client.headers["Authorization"]}
        reply = post(app, "/v1/datasets", headers=headers, chunks=chunks)
        assert (reply.status, reply.json()["code"]) == (429, "quota_exceeded")
        assert max(sizes) <= LIMIT
        assert len(sizes) < 10  # refused long before its end

    def test_beyond_the_quota_leaves_nothing(
        self, app: FastAPI, context: AppContext, client: TestClient
    ) -> None:
        _limit(app, max_tenant_bytes=LIMIT)
        for path in ("/v1/datasets", "/v1/scores"):
            reply = client.post(path, content=unannounced(5 * LIMIT), headers=HEADERS)
            _refused(reply, "bytes")
        assert not list(context.folder.incoming.glob("*.part"))
        assert num_announced(context) == 0

    def test_within_the_quota_counts_once(
        self, app: FastAPI, context: AppContext, client: TestClient
    ) -> None:
        _limit(app, max_tenant_bytes=LIMIT)
        reply = client.post("/v1/datasets", content=unannounced(LIMIT), headers=HEADERS)
        assert reply.status_code == 202, reply.text
        assert used_bytes(client) == LIMIT
        assert num_announced(context) == 0
        reply = client.post("/v1/datasets", content=unannounced(1000), headers=HEADERS)
        _refused(reply, "bytes")


class TestReservation:
    @pytest.fixture
    def tenant_id(self, database: Database) -> UUID:
        with database.unit_of_work() as session:
            return make_tenant(session).id

    @pytest.fixture
    def limited(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"max_tenant_bytes": LIMIT})

    def test_is_not_given_twice(
        self, database: Database, tenant_id: UUID, limited: Settings
    ) -> None:
        first, second = (
            ByteReservation(database.of_tenant(tenant_id), tenant_id, limited) for _ in range(2)
        )
        first.cover(LIMIT - 10)
        with pytest.raises(QuotaExceededError):
            second.cover(11)
        first.release()
        second.cover(LIMIT)
        with pytest.raises(QuotaExceededError):
            second.cover(LIMIT + 1)

    def test_holds_among_many_at_once(
        self, database: Database, tenant_id: UUID, limited: Settings
    ) -> None:
        granted: list[int] = []

        def arrive() -> None:
            reservation = ByteReservation(database.of_tenant(tenant_id), tenant_id, limited)
            for num_bytes in range(0, LIMIT, LIMIT // 10):
                try:
                    reservation.cover(num_bytes)
                except QuotaExceededError:
                    return
                granted.append(LIMIT // 10 if num_bytes else 0)

        threads = [threading.Thread(target=arrive) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert 0 < sum(granted) <= LIMIT

    def test_costs_nothing_without_a_quota(
        self, database: Database, tenant_id: UUID, settings: Settings
    ) -> None:
        reservation = ByteReservation(database.of_tenant(tenant_id), tenant_id, settings)
        reservation.cover(2**60)
        with database.read() as session:
            assert session.scalar(select(func.count()).select_from(Upload)) == 0
        reservation.release()


class TestPredict:
    def test_beyond_the_quota_is_refused(
        self, app: FastAPI, context: AppContext, client: TestClient, model: Job
    ) -> None:
        _limit(app, max_tenant_bytes=LIMIT)
        path = f"/v1/jobs/{model.id}/predict?wait=0"
        reply = client.post(path, content=unannounced(5 * LIMIT), headers=HEADERS)
        _refused(reply, "bytes")
        _refused(client.post(path, files={"file": ("a.png", bytes(5 * LIMIT))}), "bytes")
        assert not list(context.folder.incoming.glob("*.part"))
        assert num_announced(context) == 0

    def test_counts_what_waits_until_it_was_shown(
        self, app: FastAPI, context: AppContext, client: TestClient, model: Job
    ) -> None:
        _limit(app, max_tenant_bytes=LIMIT)
        before = used_bytes(client)
        path = f"/v1/jobs/{model.id}/predict?wait=0"
        files = {"file": ("a.png", bytes(600_000))}
        reply = client.post(path, files=files)
        assert reply.status_code == 202, reply.text
        assert used_bytes(client) == before + 600_000
        _refused(client.post(path, files=files), "bytes")
        with context.database.unit_of_work() as session:
            session.get_one(Job, UUID(reply.json()["job_id"])).state = JobState.SUCCEEDED
        assert used_bytes(client) == before
