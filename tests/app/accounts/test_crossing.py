"""Every route of the OpenAPI, called by everybody who may not (table: `crossings`)."""

import re
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import Response
from starlette.testclient import TestClient

from app.accounts.schemas import Scope
from app.accounts.service import AccountService, make_key
from app.core.clock import utc_now
from app.http.context import AppContext
from app.models import Tenant
from tests.app.accounts.crossings import CROSSINGS, Crossing, Kind
from tests.app.conftest import MakeClient, client_of
from tests.support.tenants import UNKNOWN, Ids, fill_every_table

HOW_TO = "give the route an entry in tests/app/accounts/crossings.py; its docstring tells how"


def routes(app: FastAPI) -> set[str]:
    """List each route below /v1 as the table names it."""
    return {
        f"{method.upper()} {path}"
        for path, operations in app.openapi()["paths"].items()
        if path.startswith("/v1")
        for method in operations
    }


def call(client: TestClient, route: str, crossing: Crossing, ids: Ids) -> Response:
    """Call a route with the ids of some tenant."""
    method, template = route.split(" ")

    def fill(match: re.Match[str]) -> str:
        return str(getattr(ids, crossing.ids.get(match[1], match[1])))

    body = crossing.body(ids)
    return client.request(
        method, re.sub(r"\{(\w+)\}", fill, template), json=body, headers=crossing.headers
    )


def seen(reply: Response) -> Any:
    """Return all of a reply that its caller could learn from."""
    body = reply.json() if reply.content else {}
    return reply.status_code, {key: value for key, value in body.items() if key != "request_id"}


@pytest.fixture
def fill(context: AppContext) -> Callable[[], Ids]:
    """Make further tenants that have something of everything."""
    numbers = count()

    def make() -> Ids:
        with context.database.unit_of_work() as session:
            return fill_every_table(session, f"full {next(numbers)}", context.pepper)

    return make


def test_every_route_is_in_the_table_and_nothing_else(app: FastAPI) -> None:
    assert routes(app) - set(CROSSINGS) == set(), HOW_TO
    assert set(CROSSINGS) - routes(app) == set(), "remove the entries of routes that are gone"


class TestBadKeys:
    @pytest.fixture
    def strangers(
        self, app: FastAPI, context: AppContext, tenant: Tenant, anonymous: TestClient
    ) -> dict[str, TestClient]:
        """Whoever has no key, or had one."""
        with context.database.unit_of_work() as session:
            accounts = AccountService(session, context.pepper)
            past = utc_now() - timedelta(seconds=1)
            _, expired = accounts.create_key(
                tenant.id, name="old", scopes=[*Scope], expires_at=past
            )
            row, revoked = accounts.create_key(tenant.id, name="lost", scopes=[*Scope])
            accounts.revoke_key(tenant.id, row.key_id)
        keys = {
            "bad": "la_live_x",
            "unknown": make_key()[1],
            "expired": expired,
            "revoked": revoked,
        }
        return {"no key": anonymous} | {name: client_of(app, key) for name, key in keys.items()}

    def test_are_refused_on_every_route(self, strangers: dict[str, TestClient]) -> None:
        for route, crossing in CROSSINGS.items():
            for name, client in strangers.items():
                reply = call(client, route, crossing, UNKNOWN)
                assert reply.status_code == 401, (route, name)
                assert reply.headers["content-type"] == "application/problem+json"
                assert reply.headers["www-authenticate"] == "Bearer"
                assert not reply.content or reply.json()["code"] == "unauthenticated"


class TestScopes:
    def test_all_others_together_are_not_enough(
        self, make_client: MakeClient, tenant: Tenant, fill: Callable[[], Ids]
    ) -> None:
        ids = fill()
        clients = {
            scope: make_client(tenant.id, [other for other in Scope if other is not scope])
            for scope in Scope
        }
        for route, crossing in CROSSINGS.items():
            reply = call(clients[crossing.scope], route, crossing, ids)
            assert reply.status_code == 403, route
            assert not reply.content or reply.json()["missing"] == [crossing.scope.value], route

    def test_the_one_that_is_asked_for_is_enough(
        self, make_client: MakeClient, fill: Callable[[], Ids]
    ) -> None:
        """Also shows that the ids are right: so it is the tenant that strangers lack."""
        for route, crossing in CROSSINGS.items():
            ids = fill()
            reply = call(make_client(ids.tenant_id, [crossing.scope]), route, crossing, ids)
            if crossing.owner_gets is None:
                assert reply.is_success, (route, reply.text)
            else:
                assert reply.status_code == crossing.owner_gets, (route, reply.text)


class TestTenants:
    def test_a_foreign_id_is_answered_like_an_unknown_one(
        self, client: TestClient, fill: Callable[[], Ids]
    ) -> None:
        ids = fill()
        items = [name for name in CROSSINGS if CROSSINGS[name].kind is Kind.ITEM]
        assert all("{" not in name for name in set(CROSSINGS) - set(items)), "these are items"
        for route in items:
            foreign = call(client, route, CROSSINGS[route], ids)
            unknown = call(client, route, CROSSINGS[route], UNKNOWN)
            assert foreign.status_code == 404, (route, foreign.text)
            assert seen(foreign) == seen(unknown), route
            assert set(foreign.headers) == set(unknown.headers), route
            assert not foreign.content or foreign.json()["code"] == "not_found", route

    def test_nothing_foreign_is_in_any_other_answer(
        self, client: TestClient, fill: Callable[[], Ids]
    ) -> None:
        ids = fill()
        for route, crossing in CROSSINGS.items():
            if crossing.kind is Kind.ITEM:
                continue
            reply = call(client, route, crossing, ids)
            assert reply.is_success or reply.status_code == (crossing.owner_gets or 0), route
            foreign = [value for value in vars(ids).values() if str(value) in reply.text]
            assert foreign == [], route

    def test_strangers_have_changed_nothing(
        self, client: TestClient, make_client: MakeClient, fill: Callable[[], Ids]
    ) -> None:
        ids = fill()
        owner = make_client(ids.tenant_id, [*Scope])
        lists = [name for name in CROSSINGS if CROSSINGS[name].kind is Kind.LIST]

        def everything() -> dict[str, Any]:
            return {name: call(owner, name, CROSSINGS[name], ids).json() for name in lists}

        everything()  # the first call of a key is noted
        before = everything()
        for route, crossing in CROSSINGS.items():
            call(client, route, crossing, ids)
        assert everything() == before
