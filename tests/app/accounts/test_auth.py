import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.accounts.schemas import Scope
from app.accounts.service import AccountService
from app.core.settings import Settings
from app.http.context import AppContext
from app.main import create_app
from app.models import Tenant
from tests.app.conftest import MakeClient

UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
BODIES: dict[str, dict[str, Any]] = {
    "decision": {"decision": "keep"},
    "decisions": {"decision": "keep", "samples": []},
    "exports": {"format": "csv"},
}
"""What a call must say before its id is looked at, by the last part of its path."""
TUS = {
    "Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Upload-Length": "1",
    "Content-Type": "application/offset+octet-stream",
}  # fmt: skip
"""The same for resumable uploads."""


def v1_routes(app: FastAPI) -> list[tuple[str, str]]:
    """List each route below /v1, with ids that nobody has."""
    return [
        (method.upper(), re.sub(r"\{\w+\}", UNKNOWN_ID, path.replace("{sample_id}", "0" * 16)))
        for path, operations in app.openapi()["paths"].items()
        if path.startswith("/v1")
        for method in operations
    ]


def needed_scope(method: str, path: str) -> Scope:
    """Return the one right that a call needs."""
    if path.startswith("/v1/webhooks"):
        return Scope.ADMIN
    if path.startswith("/v1/uploads"):
        return Scope.WRITE
    if method == "GET" or path.endswith(("/exports", "/predict")):
        return Scope.READ
    if "/decision" in path:
        return Scope.REVIEW
    if method == "DELETE" or path in {"/v1/datasets", "/v1/scores"}:
        return Scope.WRITE
    return Scope.TRAIN


def assert_unauthenticated(reply: Any) -> None:
    assert reply.status_code == 401, reply.request.url
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["www-authenticate"] == "Bearer"
    if reply.request.method != "HEAD":
        assert reply.json()["code"] == "unauthenticated"


class TestAuthentication:
    def test_comes_before_all_else_on_every_route(
        self, app: FastAPI, anonymous: TestClient
    ) -> None:
        routes = v1_routes(app)
        assert len(routes) >= 18
        for method, path in [*routes, ("GET", "/v1/no-such-path"), ("PUT", "/v1/jobs")]:
            reply = anonymous.request(
                method, path, content=b"{", headers={"Content-Type": "application/json"}
            )
            assert_unauthenticated(reply)

    @pytest.mark.parametrize(
        "header",
        ["", "Bearer", "Bearer x", "Basic eDp5", "Bearer la_live_\xe9", "Bearer " + "a" * 5000],
    )
    def test_refuses_what_is_no_key(self, anonymous: TestClient, header: str) -> None:
        raw = header.encode("latin-1")
        assert_unauthenticated(anonymous.get("/v1/jobs", headers={b"Authorization": raw}))

    def test_takes_the_scheme_in_any_case(self, client: TestClient) -> None:
        key = client.headers["authorization"].split()[1]
        assert client.get("/v1/jobs", headers={"Authorization": f"bearer {key}"}).is_success


class TestScopes:
    @pytest.mark.parametrize("scope", list(Scope))
    def test_each_route_needs_its_own(
        self, app: FastAPI, make_client: MakeClient, tenant: Tenant, scope: Scope
    ) -> None:
        client = make_client(tenant.id, [scope])
        for method, path in v1_routes(app):
            reply = client.request(method, path, headers=TUS)
            is_refused = reply.status_code == 403
            assert is_refused == (scope != needed_scope(method, path)), (method, path, reply.text)


class TestTenants:
    def test_a_foreign_id_is_answered_like_an_unknown_one(
        self, app: FastAPI, client: TestClient
    ) -> None:
        for method, path in v1_routes(app):
            if UNKNOWN_ID in path or "0" * 16 in path:
                body = BODIES.get(path.rpartition("/")[2]) if method != "GET" else None
                headers = {"If-Match": "*"} | (TUS if "/uploads/" in path else {})
                reply = client.request(method, path, json=body, headers=headers)
                assert reply.status_code == 404, path
                assert method == "HEAD" or reply.json()["code"] == "not_found", path


class TestWithoutKeys:
    @pytest.fixture
    def open_app(self, settings: Settings) -> Iterator[FastAPI]:
        app = create_app(settings.model_copy(update={"auth": "off"}))
        with TestClient(app):
            yield app

    def test_callers_of_this_machine_are_the_default_tenant(self, open_app: FastAPI) -> None:
        for host in ("127.0.0.1:8000", "localhost", "[::1]:9"):
            client = TestClient(open_app, base_url=f"http://{host}")
            reply = client.get("/v1/jobs", headers={"Origin": "http://localhost:3000"})
            assert reply.json() == {"items": [], "next_cursor": None}

    @pytest.mark.parametrize(
        ("host", "origin"),
        [
            ("evil.example", None),
            ("127.0.0.1.evil.example", None),
            ("localhost", "https://evil.example"),
            ("localhost", "null"),
            ("localhost", "http://[bad"),
        ],
    )
    def test_pages_of_other_sites_are_refused(
        self, open_app: FastAPI, host: str, origin: str | None
    ) -> None:
        headers = {"Host": host} | ({} if origin is None else {"Origin": origin})
        client = TestClient(open_app, base_url="http://localhost")
        for path in ("/v1/jobs", "/docs"):
            reply = client.get(path, headers=headers)
            assert (reply.status_code, reply.json()["code"]) == (403, "foreign_origin")

    def test_is_refused_where_others_can_reach_it(self, tmp_path: Path) -> None:
        settings = Settings(data_dir=tmp_path, auth="off", host="0.0.0.0")  # noqa: S104 - the point
        with pytest.raises(ValueError, match="loopback"):
            create_app(settings)


class TestKeyUse:
    def test_is_noted(self, client: TestClient, context: AppContext, tenant: Tenant) -> None:
        assert client.get("/v1/jobs").is_success
        with context.database.read() as session:
            (key,) = AccountService(session, context.pepper).list_keys(tenant.id)
        assert key.last_used_at is not None
