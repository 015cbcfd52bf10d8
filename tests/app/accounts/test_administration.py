from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.accounts.schemas import Scope
from app.accounts.service import AccountService
from app.core.clock import utc_now
from app.http.context import AppContext
from app.main import create_app
from app.models import Tenant
from tests.app.conftest import MakeClient, client_of
from tests.app.walking import walk


def _make_key(client: TestClient, **values: Any) -> dict[str, Any]:
    reply = client.post("/v1/keys", json={"name": "ci", "scopes": ["read"]} | values)
    assert reply.status_code == 201, reply.text
    created: dict[str, Any] = reply.json()
    return created


@pytest.fixture
def operator(context: AppContext, make_client: MakeClient) -> TestClient:
    """A client of the default tenant."""
    with context.database.unit_of_work() as session:
        tenant = AccountService(session, context.pepper).ensure_default_tenant()
    return make_client(tenant.id, [Scope.ADMIN])


class TestKeys:
    def test_are_shown_whole_only_once(self, app: FastAPI, client: TestClient) -> None:
        created = _make_key(client)
        assert created["key"].startswith(f"la_live_{created['id']}_")
        assert client_of(app, created["key"]).get("/v1/jobs").is_success
        listed = client.get("/v1/keys")
        assert created["key"] not in listed.text
        assert listed.json()["items"][0]["id"] == created["id"]

    def test_are_listed_page_by_page(self, client: TestClient) -> None:
        made = [_make_key(client)["id"] for _ in range(5)]
        listed = [row["id"] for row in walk(client, "/v1/keys", limit=2)]
        assert listed[:5] == made[::-1]
        assert len(listed) == 6

    def test_note_their_use(self, app: FastAPI, client: TestClient) -> None:
        created = _make_key(client)
        assert created["last_used_at"] is None
        client_of(app, created["key"]).get("/v1/jobs")
        row = client.get("/v1/keys").json()["items"][0]
        assert (row["id"], row["last_used_at"] is None) == (created["id"], False)

    def test_end_when_they_expire(self, app: FastAPI, client: TestClient) -> None:
        past = (utc_now() - timedelta(seconds=1)).isoformat()
        created = _make_key(client, expires_at=past)
        assert client_of(app, created["key"]).get("/v1/jobs").status_code == 401

    @pytest.mark.parametrize(
        "wanted",
        [
            {"name": "", "scopes": ["read"]},
            {"name": "x", "scopes": []},
            {"name": "x", "scopes": ["root"]},
            {"name": "x" * 101, "scopes": ["read"]},
            {"name": "x", "scopes": ["read"], "expires_at": "2030-01-01T00:00:00"},
            {"name": "x", "scopes": ["read"], "expires_at": "0001-01-01T00:00:00+14:00"},
            {"name": "x", "scopes": ["read"], "expires_at": "9999-12-31T23:00:00-14:00"},
            {"name": "x", "scopes": ["read"], "tenant_id": "x"},
        ],
    )
    def test_refuse_what_makes_no_sense(self, client: TestClient, wanted: Any) -> None:
        assert client.post("/v1/keys", json=wanted).status_code == 422

    def test_revoked_in_one_process_are_refused_in_another(
        self, client: TestClient, context: AppContext
    ) -> None:
        created = _make_key(client)
        elsewhere = create_app(context.settings)
        other = client_of(elsewhere, created["key"])
        assert other.get("/v1/jobs").is_success
        assert client.delete(f"/v1/keys/{created['id']}").status_code == 204
        assert other.get("/v1/jobs").status_code == 401
        elsewhere.state.context.database.dispose()


class TestRotation:
    def test_leaves_the_old_key_good_for_the_overlap(
        self, app: FastAPI, client: TestClient
    ) -> None:
        old = _make_key(client, scopes=["read", "write"])
        path = f"/v1/keys/{old['id']}/rotate"
        new = client.post(path, json={"overlap_seconds": 60}).json()
        assert (new["name"], new["scopes"]) == (old["name"], old["scopes"])
        assert new["id"] != old["id"]
        for key in (old["key"], new["key"]):
            assert client_of(app, key).get("/v1/jobs").is_success
        [row] = [row for row in client.get("/v1/keys").json()["items"] if row["id"] == old["id"]]
        assert row["expires_at"] is not None

    def test_without_overlap_ends_the_old_key(self, app: FastAPI, client: TestClient) -> None:
        old = _make_key(client)
        path = f"/v1/keys/{old['id']}/rotate"
        new = client.post(path, json={"overlap_seconds": 0}).json()
        assert client_of(app, old["key"]).get("/v1/jobs").status_code == 401
        assert client_of(app, new["key"]).get("/v1/jobs").is_success

    def test_never_prolongs_the_old_key(self, client: TestClient) -> None:
        soon = (utc_now() + timedelta(seconds=60)).isoformat()
        old = _make_key(client, expires_at=soon)
        new = client.post(f"/v1/keys/{old['id']}/rotate").json()
        [row] = [row for row in client.get("/v1/keys").json()["items"] if row["id"] == old["id"]]
        assert row["expires_at"] == old["expires_at"]
        assert new["expires_at"] > old["expires_at"]

    def test_is_not_for_keys_that_are_over(self, client: TestClient) -> None:
        old = _make_key(client)
        client.delete(f"/v1/keys/{old['id']}")
        reply = client.post(f"/v1/keys/{old['id']}/rotate")
        assert (reply.status_code, reply.json()["code"]) == (409, "key_not_active")


class TestTenants:
    def test_get_a_first_key_and_quotas(self, app: FastAPI, operator: TestClient) -> None:
        reply = operator.post("/v1/tenants", json={"name": "new", "max_bytes": 7})
        assert reply.status_code == 201, reply.text
        created = reply.json()
        theirs = client_of(app, created["key"])
        assert [row["id"] for row in theirs.get("/v1/tenants").json()["items"]] == [created["id"]]
        changed = operator.patch(f"/v1/tenants/{created['id']}", json={"max_samples": 9}).json()
        assert (changed["max_bytes"], changed["max_samples"]) == (7, 9)
        limits = {row["name"]: row["limit"] for row in theirs.get("/v1/usage").json()["quotas"]}
        assert (limits["bytes"], limits["samples"]) == (7, 9)

    def test_have_names_of_their_own(self, operator: TestClient) -> None:
        reply = operator.post("/v1/tenants", json={"name": "default"})
        assert (reply.status_code, reply.json()["code"]) == (409, "tenant_exists")

    def test_are_all_seen_by_operators(self, operator: TestClient, tenant: Tenant) -> None:
        names = {row["name"] for row in walk(operator, "/v1/tenants", limit=1)}
        assert names == {"default", tenant.name}

    def test_do_not_set_their_own_quotas(self, client: TestClient, tenant: Tenant) -> None:
        reply = client.patch(f"/v1/tenants/{tenant.id}", json={"max_bytes": 10**12})
        assert (reply.status_code, reply.json()["code"]) == (403, "forbidden")


class TestAuditLog:
    def test_tells_who_did_what_and_no_secret(
        self, client: TestClient, operator: TestClient, tenant: Tenant
    ) -> None:
        old = _make_key(client)
        new = client.post(f"/v1/keys/{old['id']}/rotate").json()
        client.delete(f"/v1/keys/{new['id']}")
        hook = client.post("/v1/webhooks", json={"url": "https://example.org/"}).json()
        client.delete(f"/v1/webhooks/{hook['id']}")
        operator.patch(f"/v1/tenants/{tenant.id}", json={"max_bytes": 7})
        rows = list(walk(client, "/v1/audit-log", limit=2))[:7]
        assert [(row["action"], row["target"]) for row in rows] == [
            ("tenant.changed", str(tenant.id)),
            ("webhook.deleted", hook["id"]),
            ("webhook.created", hook["id"]),
            ("key.revoked", new["id"]),
            ("key.rotated", old["id"]),
            ("key.created", new["id"]),
            ("key.created", old["id"]),
        ]
        own_key = client.headers["authorization"].split("_")[2]
        assert {row["key_id"] for row in rows[1:]} == {own_key}
        assert rows[0]["key_id"] == operator.headers["authorization"].split("_")[2]
        for secret in (old["key"], new["key"], hook["secret"]):
            assert secret not in str(rows)

    def test_says_nothing_of_what_was_not_done(self, client: TestClient) -> None:
        before = client.get("/v1/audit-log").json()
        client.delete("/v1/keys/00000000")
        assert client.get("/v1/audit-log").json() == before
