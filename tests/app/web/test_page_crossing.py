"""Every page, asked for by everybody who may not see it (the API: tests/app/accounts).

A new page needs an entry in `PAGES`; ids in its path are those of `tests.support.tenants.Ids`.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from enum import Enum
from itertools import count

import pytest
from fastapi import FastAPI
from httpx2 import Response
from sqlalchemy import update

from app.accounts.schemas import Scope
from app.accounts.service import make_key
from app.core.clock import utc_now
from app.core.storage import BlobStore
from app.http.context import AppContext
from app.models import ApiKey, Tenant, WebSession
from tests.app.web.conftest import FakeBrowser
from tests.support.routes import all_routes
from tests.support.tenants import REPORT_FILE, UNKNOWN, Ids, fill_every_table

Fill = Callable[[], Ids]
MakeBrowser = Callable[[], FakeBrowser]


class Kind(Enum):
    """What somebody of another tenant gets."""

    ITEM = "404, like an unknown id"
    LIST = "a page without a foreign row"
    OPEN = "the same as everybody: it shows nothing of any tenant"


PAGES = {
    "GET /": Kind.OPEN,
    "GET /sign-in": Kind.OPEN,
    "POST /sign-in": Kind.OPEN,
    "POST /sign-out": Kind.OPEN,
    "GET /docs": Kind.OPEN,
    "GET /openapi.json": Kind.OPEN,
    "GET /datasets": Kind.LIST,
    "GET /jobs/{job_id}": Kind.ITEM,
    "GET /jobs/{job_id}/report": Kind.ITEM,
    "GET /jobs/{job_id}/review": Kind.ITEM,
    "GET /jobs/{job_id}/review/first-look": Kind.ITEM,
    "GET /jobs/{job_id}/review/share": Kind.ITEM,
    "GET /jobs/{job_id}/review/differences": Kind.ITEM,
    "GET /jobs/{job_id}/review/promises": Kind.ITEM,
    "GET /promises/{promise_id}": Kind.ITEM,
    "GET /jobs/{job_id}/samples/{sample_id}": Kind.ITEM,
}
CLOSED = [route for route, kind in PAGES.items() if kind is not Kind.OPEN]
PAST = timedelta(seconds=-1)


def routes(app: FastAPI) -> set[str]:
    """List what is no operation of the OpenAPI document, and so a page."""
    operations = app.openapi()["paths"]
    return {
        f"{method} {route.path}"
        for route in all_routes(app)
        for method in set(getattr(route, "methods", None) or ()) - {"HEAD"}
        if route.path not in operations
    }


def call(browser: FakeBrowser, route: str, ids: Ids, **headers: str) -> Response:
    method, template = route.split(" ")
    path = re.sub(r"\{(\w+)\}", lambda match: str(getattr(ids, match[1])), template)
    return browser.request(method, path, headers={"X-Request-ID": "r-1"} | headers)


def seen(reply: Response, ids: Ids) -> tuple[int, set[str], str]:
    """Return all that a caller could learn, but for the ids that they gave themselves."""
    shown = reply.text
    for value in vars(ids).values():
        shown = shown.replace(str(value), "ID")
    return reply.status_code, set(reply.headers), shown


@pytest.fixture
def fill(context: AppContext) -> Fill:
    """Make further tenants that have something of everything."""
    numbers = count()

    def make() -> Ids:
        with context.database.unit_of_work() as session:
            ids = fill_every_table(session, f"full {next(numbers)}", context.pepper)
        BlobStore(context.folder.blobs(ids.tenant_id)).put(REPORT_FILE)
        return ids

    return make


@pytest.fixture
def make_browser(app: FastAPI, context: AppContext) -> MakeBrowser:
    return lambda: FakeBrowser(app, context)


def test_every_page_is_in_the_table_and_nothing_else(app: FastAPI) -> None:
    assert routes(app) == set(PAGES), "give a new page an entry, take that of a lost one away"


class TestStrangers:
    @pytest.fixture
    def strangers(
        self, context: AppContext, tenant: Tenant, make_browser: MakeBrowser
    ) -> dict[str, FakeBrowser]:
        """Whoever has no session and no key, or had one."""
        names = (
            "nothing", "bad key", "unknown key", "expired key", "revoked key",
            "bad session", "ended session", "session of an expired key", "session of a lost key",
        )  # fmt: skip
        all_of_them = {name: make_browser() for name in names}
        keys = {"bad key": "la_live_x", "unknown key": make_key()[1]}
        for name in ("expired key", "revoked key"):
            keys[name] = all_of_them[name].make_key(tenant.id)
        for name, key in keys.items():
            all_of_them[name].headers["Authorization"] = f"Bearer {key}"
        for name in names[-3:]:
            all_of_them[name].sign_in(tenant.id)
        all_of_them["bad session"].cookies.set("labelaudit_session", "x")
        for name in ("revoked key", "session of a lost key"):
            all_of_them[name].revoke_key()
        expired = {all_of_them[name].key_id for name in names if "expired key" in name}
        ended = all_of_them["ended session"].key_id
        with context.database.unit_of_work() as session:
            past = utc_now() + PAST
            session.execute(
                update(ApiKey).where(ApiKey.key_id.in_(expired)).values(expires_at=past)
            )
            session.execute(
                update(WebSession).where(WebSession.key_id == ended).values(expires_at=past)
            )
        return all_of_them

    def test_are_led_to_the_sign_in_page(
        self, strangers: dict[str, FakeBrowser], fill: Fill
    ) -> None:
        ids = fill()
        for route in CLOSED:
            for name, browser in strangers.items():
                reply = call(browser, route, ids)
                assert reply.status_code == 303, (route, name)
                assert reply.headers["location"].startswith("/sign-in?next=/"), (route, name)
                assert not reply.content, (route, name)

    def test_get_no_part_of_a_page_either(
        self, strangers: dict[str, FakeBrowser], fill: Fill
    ) -> None:
        ids = fill()
        part = {"HX-Request": "true", "HX-Request-Type": "partial"}
        for route in CLOSED:
            for name, browser in strangers.items():
                reply = call(browser, route, ids, **part)
                assert (reply.status_code, reply.content) == (401, b""), (route, name)
                program = call(browser, route, ids, Accept="application/json")
                assert program.json()["code"] == "unauthenticated", (route, name)

    def test_see_nothing_on_the_open_pages(
        self, strangers: dict[str, FakeBrowser], fill: Fill
    ) -> None:
        ids = fill()
        for route in set(PAGES) - set(CLOSED):
            for name, browser in strangers.items():
                reply = call(browser, route, ids)
                assert reply.status_code in {200, 303, 401}, (route, name)
                foreign = [value for value in vars(ids).values() if str(value) in reply.text]
                assert foreign == [], (route, name)


class TestScopes:
    def test_all_others_together_are_not_enough(self, browser: FakeBrowser, fill: Fill) -> None:
        ids = fill()
        browser.sign_in(ids.tenant_id, [scope for scope in Scope if scope is not Scope.READ])
        for route in CLOSED:
            reply = call(browser, route, ids)
            assert reply.status_code == 403, route
            assert str(ids.dataset_id) not in reply.text, route

    def test_reading_is_enough(self, browser: FakeBrowser, fill: Fill) -> None:
        """Also shows that the ids are right: so it is the tenant that strangers lack."""
        ids = fill()
        browser.sign_in(ids.tenant_id, [Scope.READ])
        for route in CLOSED:
            reply = call(browser, route, ids)
            assert reply.status_code == 200, route


class TestTenants:
    def test_a_foreign_id_is_answered_like_an_unknown_one(
        self, signed_in: FakeBrowser, fill: Fill
    ) -> None:
        ids = fill()
        for route in CLOSED:
            if PAGES[route] is Kind.ITEM:
                foreign, unknown = (call(signed_in, route, each) for each in (ids, UNKNOWN))
                assert foreign.status_code == 404, route
                assert seen(foreign, ids) == seen(unknown, UNKNOWN), route

    def test_nothing_foreign_is_on_any_other_page(self, signed_in: FakeBrowser, fill: Fill) -> None:
        ids = fill()
        for route in set(PAGES) - {"POST /sign-out"}:
            if PAGES[route] is not Kind.ITEM:
                text = call(signed_in, route, ids).text
                assert [value for value in vars(ids).values() if str(value) in text] == [], route

    def test_every_item_names_what_it_is_of(self) -> None:
        assert all(("{" in route) == (kind is Kind.ITEM) for route, kind in PAGES.items())
