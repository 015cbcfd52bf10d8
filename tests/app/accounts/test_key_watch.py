"""A long request ends soon after its key does."""

from collections.abc import Iterator
from contextlib import suppress

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.accounts import auth
from app.accounts.service import AccountService
from app.core.errors import UnauthenticatedError
from app.http.context import AppContext
from app.models import Job, JobState, Tenant
from tests.app.asgi import post
from tests.support.engines import on_sqlite
from tests.support.rows import make_dataset, make_job

pytestmark = on_sqlite


@pytest.fixture(autouse=True)
def _check_always(monkeypatch: pytest.MonkeyPatch) -> None:
    assert auth._CHECK_SECONDS < 5
    monkeypatch.setattr(auth, "_CHECK_SECONDS", 0.0)


def _revoke(context: AppContext, tenant: Tenant) -> None:
    with context.database.unit_of_work() as session:
        accounts = AccountService(session, context.pepper)
        for key in accounts.list_keys(tenant.id):
            accounts.revoke_key(tenant.id, key.key_id)


def test_an_upload_is_refused_once_its_key_is_revoked(
    app: FastAPI, client: TestClient, context: AppContext, tenant: Tenant
) -> None:
    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.zip"\r\n\r\nPK\x03\x04'

    def chunks() -> Iterator[bytes]:
        yield form
        _revoke(context, tenant)
        yield b"more"
        yield b"\r\n--b--\r\n"

    headers = {
        "Authorization": client.headers["authorization"],
        "Content-Type": "multipart/form-data; boundary=b",
        "Host": "testserver",
    }
    reply = post(app, "/v1/datasets", headers=headers, chunks=chunks())
    assert (reply.status, reply.json()["code"]) == (401, "unauthenticated")
    with context.database.read() as session:
        assert session.query(Job).count() == 0


def test_a_stream_of_events_ends_once_its_key_is_revoked(
    client: TestClient, context: AppContext, tenant: Tenant
) -> None:
    with context.database.unit_of_work() as session:
        job = make_job(session, make_dataset(session, tenant.id))
    assert client.post(f"/v1/jobs/{job.id}/cancel").is_success
    with context.database.read() as session:
        assert session.get_one(Job, job.id).state is JobState.CANCELLED
    assert "cancelled" in client.get(f"/v1/jobs/{job.id}/events").text

    identify = AccountService.authenticate
    calls = 0

    def revoke_after_the_first(self: AccountService, key: str) -> object:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise UnauthenticatedError("revoked meanwhile")
        return identify(self, key)

    with pytest.MonkeyPatch.context() as patch, suppress(ExceptionGroup):
        patch.setattr(AccountService, "authenticate", revoke_after_the_first)
        assert "cancelled" not in client.get(f"/v1/jobs/{job.id}/events").text
    assert calls > 1
