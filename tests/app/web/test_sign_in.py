from collections.abc import Iterator
from datetime import timedelta
from http.cookies import SimpleCookie

import pytest
from fastapi import FastAPI

from app.accounts import service
from app.accounts.auth import SessionCookie
from app.accounts.rate_limit import MAX_FAILURES, FailedSignIns
from app.accounts.schemas import Scope
from app.accounts.service import make_key
from app.core.clock import utc_now
from app.core.settings import Settings
from app.http.context import AppContext
from app.http.errors import RateLimitedError
from app.main import create_app
from app.models import Tenant
from tests.app.asgi import post
from tests.app.web.conftest import OWN_PAGE, FakeBrowser
from tests.support.rows import make_tenant

ELSEWHERE = (
    "//evil.example",
    "https://evil.example",
    "/\\evil.example",
    "/\t/evil.example",
    "x",
    "",
)


class TestSignIn:
    def test_is_asked_for_by_every_page_and_leads_back(
        self, browser: FakeBrowser, tenant: Tenant
    ) -> None:
        reply = browser.get("/datasets?cursor=x%26y")
        assert reply.status_code == 303
        assert reply.headers["location"] == "/sign-in?next=/datasets%3Fcursor%3Dx%2526y"
        page = browser.get(reply.headers["location"])
        assert 'name="next" value="/datasets?cursor=x%26y"' in page.text

        key = browser.make_key(tenant.id)
        reply = browser.post(
            "/sign-in", data={"key": f" {key}\n", "next": "/datasets?cursor=x%26y"}
        )
        assert (reply.status_code, reply.headers["location"]) == (303, "/datasets?cursor=x%26y")

    def test_opens_pages_and_api(self, signed_in: FakeBrowser) -> None:
        assert "Ada&#39;s key" in signed_in.get("/datasets").text
        assert signed_in.get("/v1/datasets").json() == {"items": [], "next_cursor": None}
        assert signed_in.get("/sign-in").headers["location"] == "/datasets"

    def test_never_leads_to_another_site(self, browser: FakeBrowser, tenant: Tenant) -> None:
        key = browser.make_key(tenant.id)
        for elsewhere in ELSEWHERE:
            reply = browser.post("/sign-in", data={"key": key, "next": elsewhere})
            assert reply.headers["location"] == "/datasets", elsewhere

    def test_refuses_an_unknown_key_on_the_page(self, browser: FakeBrowser) -> None:
        for key in ("", "la_live_x", "x" * 400):
            reply = browser.post("/sign-in", data={"key": key, "next": "/datasets"})
            assert reply.status_code == 401
            assert "set-cookie" not in reply.headers
            assert 'role="alert"' in reply.text
            assert not key or key not in reply.text

    def test_from_another_site_is_refused(self, browser: FakeBrowser, tenant: Tenant) -> None:
        reply = browser.post(
            "/sign-in",
            data={"key": browser.make_key(tenant.id)},
            headers={"Sec-Fetch-Site": "cross-site"},
        )
        assert reply.status_code == 403
        assert "set-cookie" not in reply.headers


class TestSignInOfStrangers:
    """They have no key, so nothing else keeps them from taking what others need."""

    def test_takes_in_no_more_than_a_form(self, app: FastAPI) -> None:
        taken = 0

        def body() -> Iterator[bytes]:
            nonlocal taken
            yield b"key="
            for _ in range(100):
                taken += 1
                yield b"[]" * 512

        form = {"Content-Type": "application/x-www-form-urlencoded", "Host": "testserver"}
        reply = post(app, "/sign-in", headers=form | OWN_PAGE, chunks=body())
        assert (reply.status, reply.json()["code"]) == (413, "payload_too_large")
        assert taken <= 5

    def test_never_waits_for_the_one_who_writes(
        self, browser: FakeBrowser, context: AppContext
    ) -> None:
        unknown = make_key()[1]
        with context.database.unit_of_work() as session:
            session.connection()  # SQLite has one writer at a time: this one
            for key in (unknown, "la_live_x"):
                assert browser.post("/sign-in", data={"key": key}).status_code == 401
            browser.cookies.set(SessionCookie.of(context.settings).name, "invented")
            assert browser.post("/sign-out").status_code == 303

    def test_may_fail_so_often_from_one_address(
        self, app: FastAPI, context: AppContext, tenant: Tenant
    ) -> None:
        here, beside, elsewhere = (
            FakeBrowser(app, context, address)
            for address in ("2001:db8::1", "2001:db8::2", "203.0.113.9")
        )
        key = here.make_key(tenant.id)
        for _ in range(MAX_FAILURES):
            assert here.post("/sign-in", data={"key": make_key()[1]}).status_code == 401
        for browser in (here, beside):  # one network
            reply = browser.post("/sign-in", data={"key": key})
            assert reply.status_code == 429
            assert int(reply.headers["retry-after"]) > 0
            assert reply.headers["content-type"].startswith("text/html")
        assert elsewhere.post("/sign-in", data={"key": key}).status_code == 303

    def test_is_remembered_of_the_latest_addresses_only(self) -> None:
        failures = FailedSignIns()
        for _ in range(MAX_FAILURES):
            failures.note("198.51.100.1")
        with pytest.raises(RateLimitedError):
            failures.require("198.51.100.1")
        for number in range(1024):
            failures.note(f"203.0.{number // 256}.{number % 256}")
        failures.require("198.51.100.1")


class TestSession:
    def test_ends_at_once_when_the_key_is_revoked(self, signed_in: FakeBrowser) -> None:
        assert signed_in.get("/datasets").status_code == 200
        signed_in.revoke_key()
        assert signed_in.get("/datasets").status_code == 303
        assert signed_in.get("/v1/datasets").status_code == 401

    def test_ends_with_signing_out_even_for_who_kept_the_cookie(
        self, signed_in: FakeBrowser
    ) -> None:
        kept = dict(signed_in.cookies)
        reply = signed_in.post("/sign-out")
        assert (reply.status_code, reply.headers["location"]) == (303, "/sign-in")
        assert not dict(signed_in.cookies)
        signed_in.cookies.update(kept)
        assert signed_in.get("/v1/datasets").status_code == 401

    def test_ends_by_itself(
        self, browser: FakeBrowser, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        browser.sign_in(tenant.id)
        later = utc_now() + service.SESSION_LIFETIME + timedelta(seconds=1)
        monkeypatch.setattr(service, "utc_now", lambda: later)
        assert browser.get("/v1/datasets").status_code == 401

    def test_has_the_rights_of_its_key(self, browser: FakeBrowser, tenant: Tenant) -> None:
        browser.sign_in(tenant.id, [Scope.REVIEW])
        reply = browser.get("/datasets")
        assert reply.status_code == 403
        assert reply.headers["content-type"].startswith("text/html")
        assert "Sign out" in reply.text
        assert browser.get("/v1/datasets").status_code == 403

    def test_leads_htmx_to_the_sign_in_page(self, browser: FakeBrowser) -> None:
        here = {"HX-Request": "true", "HX-Current-URL": "http://testserver/datasets?cursor=1"}
        reply = browser.get("/datasets", headers=here)
        assert reply.status_code == 401
        assert reply.headers["hx-redirect"] == "/sign-in?next=/datasets%3Fcursor%3D1"

    def test_is_stored_only_as_a_keyed_hash(
        self, signed_in: FakeBrowser, context: AppContext
    ) -> None:
        (token,) = dict(signed_in.cookies).values()
        with context.database.read() as session:
            rows = session.connection().exec_driver_sql("SELECT * FROM web_sessions").all()
        assert len(rows) == 1
        assert token not in str(rows)


class TestCookie:
    def test_is_out_of_reach_of_scripts_and_other_sites(
        self, browser: FakeBrowser, tenant: Tenant
    ) -> None:
        reply = browser.post("/sign-in", data={"key": browser.make_key(tenant.id)})
        (cookie,) = SimpleCookie(reply.headers["set-cookie"]).values()
        assert cookie["httponly"]
        assert cookie["samesite"] == "lax"
        assert cookie["path"] == "/"
        assert int(cookie["max-age"]) <= 12 * 3600
        assert not cookie["secure"]

    def test_needs_tls_off_this_machine(self, settings: Settings) -> None:
        away = create_app(settings.model_copy(update={"host": "192.0.2.1"}))
        browser = FakeBrowser(away, away.state.context)
        with browser:
            with away.state.context.database.unit_of_work() as session:
                tenant_id = make_tenant(session).id
            reply = browser.post("/sign-in", data={"key": browser.make_key(tenant_id)})
        ((name, cookie),) = SimpleCookie(reply.headers["set-cookie"]).items()
        assert name.startswith("__Host-")
        assert cookie["secure"]
