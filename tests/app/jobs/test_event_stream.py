import threading
import time

import pytest
from starlette.testclient import TestClient

from app.http.context import AppContext
from app.jobs import events as job_events
from app.jobs.lease_repository import EventRepository
from app.models import Job, JobState, Tenant
from tests.support.rows import make_dataset, make_job


@pytest.fixture
def job(context: AppContext, tenant: Tenant) -> Job:
    """A running job with two events."""
    with context.database.unit_of_work() as session:
        job = make_job(session, make_dataset(session, tenant.id), state=JobState.RUNNING)
        for epoch in (1, 2):
            EventRepository(session).append(job.id, "progress", {"epoch": epoch})
    return job


def finish(context: AppContext, job: Job) -> None:
    with context.database.unit_of_work() as session:
        row = session.get_one(Job, job.id)
        row.state = JobState.SUCCEEDED
        EventRepository(session).append(row.id, "state", {"state": "succeeded"})


def ids(text: str) -> list[int]:
    return [int(line[4:]) for line in text.splitlines() if line.startswith("id: ")]


class TestEvents:
    def test_replay_all_and_close_with_the_job(
        self, client: TestClient, context: AppContext, job: Job
    ) -> None:
        finish(context, job)
        reply = client.get(f"/v1/jobs/{job.id}/events")
        assert reply.headers["content-type"].startswith("text/event-stream")
        assert reply.text == (
            'event: progress\ndata: {"epoch": 1}\nid: 1\n\n'
            'event: progress\ndata: {"epoch": 2}\nid: 2\n\n'
            'event: state\ndata: {"state": "succeeded"}\nid: 3\n\n'
        )

    def test_go_on_where_the_reader_left_off(
        self, client: TestClient, context: AppContext, job: Job
    ) -> None:
        finish(context, job)
        path = f"/v1/jobs/{job.id}/events"
        assert ids(client.get(path, params={"after": 1}).text) == [2, 3]
        # A browser that reconnects repeats the URL: its header is newer.
        headers = {"Last-Event-ID": "2"}
        assert ids(client.get(path, params={"after": 1}, headers=headers).text) == [3]
        assert ids(client.get(path, headers={"Last-Event-ID": "3"}).text) == []
        assert client.get(path, headers={"Last-Event-ID": "x"}).status_code == 422

    def test_follow_a_running_job_to_its_end(
        self,
        client: TestClient,
        context: AppContext,
        job: Job,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(job_events, "_POLL_SECONDS", 0.01)

        def finish_soon() -> None:
            time.sleep(0.2)
            finish(context, job)

        worker = threading.Thread(target=finish_soon)
        worker.start()
        start = time.monotonic()
        text = client.get(f"/v1/jobs/{job.id}/events").text
        worker.join()
        assert ids(text) == [1, 2, 3]
        assert time.monotonic() - start >= 0.2

    def test_come_in_batches_but_all(
        self,
        client: TestClient,
        context: AppContext,
        job: Job,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(job_events, "_BATCH", 1)
        finish(context, job)
        assert ids(client.get(f"/v1/jobs/{job.id}/events").text) == [1, 2, 3]
