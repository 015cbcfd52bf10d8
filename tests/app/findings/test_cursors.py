"""Cursors of the findings: nobody forges one, and a walk stays exact while results change."""

from datetime import timedelta
from uuid import UUID

import pytest
from starlette.testclient import TestClient

from app.core.clock import utc_now
from app.findings.publish_repository import PublishRepository, remove_superseded_before
from app.http.context import AppContext
from app.http.pagination import CursorSeal
from app.models import Finding, Job, ResultVersion, Sample, Tenant
from tests.support.factories import make_samples, publish_findings
from tests.support.rows import make_dataset, make_job

NUM_SAMPLES = 9


@pytest.fixture
def job(context: AppContext, tenant: Tenant) -> Job:
    with context.database.unit_of_work() as session:
        dataset = make_dataset(session, tenant.id)
        job = make_job(session, dataset)
        publish_findings(session, job, make_samples(session, dataset, NUM_SAMPLES))
    return job


@pytest.fixture
def path(job: Job) -> str:
    return f"/v1/jobs/{job.id}/samples"


def _publish_again(context: AppContext, job_id: UUID) -> None:
    """Publish results in the opposite order."""
    with context.database.unit_of_work() as session:
        samples = session.query(Sample).order_by(Sample.id.desc())
        publish_findings(session, session.get_one(Job, job_id), list(samples))


def _first_cursor(client: TestClient, path: str) -> str:
    cursor: str = client.get(path, params={"limit": 2}).json()["next_cursor"]
    return cursor


class TestWalk:
    def test_gives_each_sample_once_while_results_are_published(
        self, client: TestClient, context: AppContext, job: Job, path: str
    ) -> None:
        before = [item["sample_id"] for item in client.get(path).json()["items"]]
        seen: list[str] = []
        cursor: str | None = None
        while True:
            params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
            page = client.get(path, params=params).json()
            seen += [item["sample_id"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
            _publish_again(context, job.id)
        assert seen == before
        after = [item["sample_id"] for item in client.get(path).json()["items"]]
        assert after == before[::-1]

    def test_ends_a_day_after_its_results_were_replaced(
        self, client: TestClient, context: AppContext, job: Job, path: str
    ) -> None:
        cursor = _first_cursor(client, path)
        _publish_again(context, job.id)
        params: dict[str, str | int] = {"limit": 2, "cursor": cursor}
        assert client.get(path, params=params).status_code == 200
        with context.database.unit_of_work() as session:
            [old] = session.query(ResultVersion).filter(ResultVersion.superseded_at.is_not(None))
            old.superseded_at = utc_now() - timedelta(hours=25)
        reply = client.get(path, params=params)
        assert (reply.status_code, reply.json()["code"]) == (410, "cursor_expired")


class TestOldResults:
    def test_are_removed_in_steps(self, context: AppContext, job: Job) -> None:
        _publish_again(context, job.id)
        moment = utc_now() + timedelta(seconds=1)
        with context.database.unit_of_work() as session:
            assert remove_superseded_before(session, utc_now() - timedelta(1), limit=100) == 0
            assert remove_superseded_before(session, moment, limit=4) == 4
            assert session.query(Finding).count() == 2 * NUM_SAMPLES - 4
            while remove_superseded_before(session, moment, limit=4):
                pass
            assert session.query(Finding).count() == NUM_SAMPLES
            [kept] = session.query(ResultVersion)
            assert kept.id == session.get_one(Job, job.id).result_version

    def test_leave_their_id_to_no_later_ones(self, context: AppContext, job: Job) -> None:
        with context.database.unit_of_work() as session:
            results = PublishRepository(session, job.tenant_id, job.id)
            first = results.stage(attempt=2)
            session.delete(session.get_one(ResultVersion, first))
            session.flush()
            assert results.stage(attempt=3) > first


class TestForgery:
    @pytest.mark.parametrize(
        "forge",
        [
            lambda _cursor: "é.x",
            lambda _cursor: "",
            lambda cursor: cursor.rpartition(".")[0],
            lambda cursor: f"A{cursor[1:]}",
            lambda cursor: cursor[:-1] + ("A" if cursor[-1] != "A" else "B"),
            lambda cursor: CursorSeal(b"another secret", None).sign(cursor.rpartition(".")[0]),
        ],
    )
    def test_is_refused(self, client: TestClient, path: str, forge: object) -> None:
        assert callable(forge)
        cursor = forge(_first_cursor(client, path))
        reply = client.get(path, params={"limit": 2, "cursor": cursor})
        assert (reply.status_code, reply.json()["code"]) == (422, "invalid_cursor")

    def test_a_cursor_of_another_tenant_is_refused(
        self, client: TestClient, stranger: TestClient, context: AppContext, tenant: Tenant
    ) -> None:
        with context.database.unit_of_work() as session:
            for _ in range(3):
                make_dataset(session, tenant.id)
        cursor = client.get("/v1/datasets", params={"limit": 1}).json()["next_cursor"]
        assert client.get("/v1/datasets", params={"cursor": cursor}).status_code == 200
        reply = stranger.get("/v1/datasets", params={"cursor": cursor})
        assert (reply.status_code, reply.json()["code"]) == (422, "invalid_cursor")
