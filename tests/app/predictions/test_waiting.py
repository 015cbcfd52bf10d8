"""Requests that wait for their predictions cost nothing while nothing happens."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import event
from starlette.testclient import TestClient

from app.http.context import AppContext
from app.models import Job, JobKind, Tenant
from tests.app.predictions.conftest import IMAGES, answer
from tests.support.waiting import wait_for

NUM_WAITING = 5


def _waiting(context: AppContext) -> list[str]:
    with context.database.read() as session:
        jobs = session.query(Job).filter(Job.kind == JobKind.PREDICT)
        return [str(job.id) for job in jobs]


def test_share_one_look_at_the_database(
    client: TestClient, context: AppContext, tenant: Tenant, path: str
) -> None:
    polls: list[str] = []
    others: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("SELECT"):
            (polls if "max(job_events.seq)" in statement else others).append(statement)

    def ask() -> Any:
        return client.post(path, files=IMAGES, params={"wait": 30})

    with ThreadPoolExecutor(NUM_WAITING) as threads:
        asked = [threads.submit(ask) for _ in range(NUM_WAITING)]
        wait_for(lambda: len(_waiting(context)) == NUM_WAITING, seconds=30, what="all have jobs")
        event.listen(context.database.engine, "before_cursor_execute", note)
        wait_for(lambda: len(polls) > 2, seconds=30, what="looks at what they wait for")
        polls.clear()
        others.clear()
        wait_for(lambda: len(polls) > 1, seconds=30, what="further looks")
        assert len(others) < NUM_WAITING
        event.remove(context.database.engine, "before_cursor_execute", note)
        for job_id in _waiting(context):
            answer(context, tenant, job_id)
        replies = [request.result() for request in asked]
    assert [reply.status_code for reply in replies] == [200] * NUM_WAITING
