from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from app.core.clock import utc_now
from app.core.db import Database
from app.core.settings import Settings
from app.http.context import AppContext
from app.jobs.lease_repository import Fence, LeaseRepository
from app.main import create_app
from app.models import AttemptOutcome, JobState, Queue, Tenant
from tests.support.rows import add_late_message, make_dataset, make_job


class TestRequestMetrics:
    def test_count_by_route_not_by_path(self, client: TestClient) -> None:
        for name in ("one", "other"):
            client.get(f"/v1/jobs/{name}")
            client.get(f"/{name}")
        lines = client.get("/metrics").text.splitlines()
        count = "labelaudit_http_request_seconds_count"
        assert f'{count}{{method="GET",route="/v1/jobs/{{job_id}}",status="404"}} 2.0' in lines
        assert f'{count}{{method="any",route="unmatched",status="404"}} 2.0' in lines

    def test_count_all_invented_methods_as_one(
        self, anonymous: TestClient, capfd: pytest.CaptureFixture[str]
    ) -> None:
        names = ["BREW", "PROPFIND", "X" * 16_000]
        for method in names:
            assert anonymous.request(method, "/healthz").status_code == 405
            assert anonymous.request(method, "/sign-in").status_code == 405
        text = anonymous.get("/metrics").text
        count = "labelaudit_http_request_seconds_count"
        assert f'{count}{{method="other",route="/healthz",status="405"}} 3.0' in text.splitlines()
        told = "".join(capfd.readouterr())
        assert "route=/sign-in" in told
        assert not [name for name in names if name in text or name in told]

    def test_count_the_bytes_of_bodies(self, client: TestClient) -> None:
        for _ in range(2):
            client.post("/v1/jobs", content=b"x" * 1000)
        lines = client.get("/metrics").text.splitlines()
        assert 'labelaudit_http_received_bytes_total{route="/v1/jobs"} 2000.0' in lines

    def test_are_served_while_the_database_is_down(
        self, anonymous: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        anonymous.get("/healthz")

        def down(_self: Database) -> None:
            raise OperationalError("SELECT 1", {}, Exception("down"))

        monkeypatch.setattr(Database, "read", down)
        reply = anonymous.get("/metrics")
        assert reply.status_code == 200
        assert "labelaudit_http_request_seconds_count" in reply.text
        assert "labelaudit_jobs" not in reply.text


class TestJobGauges:
    def test_are_read_at_each_look(
        self, anonymous: TestClient, context: AppContext, tenant: Tenant
    ) -> None:
        with context.database.unit_of_work() as session:
            dataset = make_dataset(session, tenant.id)
            make_job(session, dataset, queued_at=utc_now() - timedelta(hours=1))
            make_job(session, dataset, state=JobState.RUNNING, queue=Queue.CPU)
        lines = anonymous.get("/metrics").text.splitlines()
        assert 'labelaudit_jobs{queue="gpu",state="queued"} 1.0' in lines
        assert 'labelaudit_jobs{queue="cpu",state="running"} 1.0' in lines
        assert 'labelaudit_jobs{queue="cpu",state="queued"} 0.0' in lines
        name = 'labelaudit_oldest_queued_seconds{queue="gpu"} '
        (age,) = (float(line.removeprefix(name)) for line in lines if line.startswith(name))
        assert 3600 <= age < 3700

    def test_tell_how_late_messages_to_receivers_are(
        self, anonymous: TestClient, context: AppContext, tenant: Tenant
    ) -> None:
        name = "labelaudit_oldest_due_webhook_seconds "
        assert f"{name}0.0" in anonymous.get("/metrics").text.splitlines()
        add_late_message(context.database, tenant.id, seconds=3600)
        lines = anonymous.get("/metrics").text.splitlines()
        (late,) = (float(line.removeprefix(name)) for line in lines if line.startswith(name))
        assert 3600 <= late < 3700

    def test_tell_how_attempts_ended_and_when_the_first_lease_ends(
        self, anonymous: TestClient, context: AppContext, tenant: Tenant
    ) -> None:
        with context.database.unit_of_work() as session:
            dataset = make_dataset(session, tenant.id)
            for _ in range(2):
                make_job(session, dataset)
        with context.database.unit_of_work() as session:
            leases = LeaseRepository(session)
            jobs = [
                leases.claim_next(Queue.GPU, owner=name, lease_seconds=60) for name in ("a", "b")
            ]
            assert jobs[0] is not None
            fence = Fence(jobs[0].id, 1, "a")
            leases.start_stage(fence, "train")
            leases.requeue(fence, queue=Queue.GPU, outcome=AttemptOutcome.EXPIRED)
        lines = anonymous.get("/metrics").text.splitlines()
        assert 'labelaudit_attempts_total{outcome="expired",stage="train"} 1.0' in lines
        assert any(line.startswith("labelaudit_attempt_seconds_total{") for line in lines)
        name = 'labelaudit_shortest_lease_seconds{queue="gpu"} '
        (left,) = (float(line.removeprefix(name)) for line in lines if line.startswith(name))
        assert 50 < left <= 60

    def test_count_attempts_on_when_their_data_sets_are_deleted(
        self, client: TestClient, context: AppContext, tenant: Tenant
    ) -> None:
        def counters() -> list[str]:
            lines = client.get("/metrics").text.splitlines()
            return [line for line in lines if line.startswith("labelaudit_attempt")]

        dataset_ids = [_tried(context, tenant) for _ in range(3)]
        before = counters()
        assert 'labelaudit_attempts_total{outcome="failed",stage="train"} 3.0' in before
        assert 'labelaudit_attempts_total{outcome="lost",stage="none"} 3.0' in before
        for dataset_id in dataset_ids:
            assert client.delete(f"/v1/datasets/{dataset_id}").status_code == 204
            assert counters() == before
        _tried(context, tenant)
        assert 'labelaudit_attempts_total{outcome="failed",stage="train"} 4.0' in counters()


class TestReplicas:
    """Several API processes on one database: what is of all of them has one place."""

    def test_each_tells_only_of_its_own_requests(self, settings: Settings) -> None:
        for replica in _replicas(settings, 2):
            replica.get("/healthz")
            lines = replica.get("/metrics").text
            assert "labelaudit_http_request_seconds_count" in lines
            assert "labelaudit_jobs" not in lines
            assert "labelaudit_attempt" not in lines

    def test_any_of_them_tells_of_the_jobs_of_all(self, settings: Settings) -> None:
        for replica in _replicas(settings, 2):
            reply = replica.get("/metrics/jobs")
            assert reply.status_code == 200
            assert reply.headers["content-type"].startswith("text/plain")
            assert 'labelaudit_jobs{queue="gpu",state="queued"} 0.0' in reply.text.splitlines()
            assert "labelaudit_http" not in reply.text

    def test_a_single_process_tells_all_in_one_place(self, anonymous: TestClient) -> None:
        anonymous.get("/healthz")
        lines = anonymous.get("/metrics").text
        assert "labelaudit_http_request_seconds_count" in lines
        for line in anonymous.get("/metrics/jobs").text.splitlines():
            assert line in lines.splitlines() or "seconds" in line


def _tried(context: AppContext, tenant: Tenant) -> UUID:
    """Make a data set whose job was lost once, then failed in its training."""
    with context.database.unit_of_work() as session:
        job = make_job(session, make_dataset(session, tenant.id))
        leases = LeaseRepository(session)
        for owner, outcome in (("a", AttemptOutcome.LOST), ("b", AttemptOutcome.FAILED)):
            claimed = leases.claim_next(Queue.GPU, owner=owner, lease_seconds=60)
            assert claimed is not None
            fence = Fence(claimed.id, claimed.attempt, owner)
            if outcome is AttemptOutcome.LOST:
                leases.requeue(fence, queue=Queue.GPU, outcome=outcome)
            else:
                leases.start_stage(fence, "train")
                leases.finish(fence, JobState.FAILED)
        return job.dataset_id


def _replicas(settings: Settings, count: int) -> Iterator[TestClient]:
    """Give API processes of server mode; nobody has to be at the broker's address."""
    broker = SecretStr("redis://127.0.0.1:1/0")
    for _ in range(count):
        with TestClient(create_app(settings.model_copy(update={"redis_url": broker}))) as client:
            yield client
