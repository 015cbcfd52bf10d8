from datetime import timedelta

import pytest
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from app.core.clock import utc_now
from app.core.db import Database
from app.http.context import AppContext
from app.models import JobState, Queue, Tenant
from tests.support.rows import make_dataset, make_job


class TestRequestMetrics:
    def test_count_by_route_not_by_path(self, client: TestClient) -> None:
        for name in ("one", "other"):
            client.get(f"/v1/jobs/{name}")
            client.get(f"/{name}")
        lines = client.get("/metrics").text.splitlines()
        count = "labelaudit_http_request_seconds_count"
        assert f'{count}{{method="GET",route="/v1/jobs/{{job_id}}",status="404"}} 2.0' in lines
        assert f'{count}{{method="any",route="unmatched",status="404"}} 2.0' in lines

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
