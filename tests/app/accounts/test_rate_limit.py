import time
from collections.abc import Iterator
from uuid import uuid4

import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.testclient import TestClient

from app.accounts.rate_limit import RateLimiter
from app.accounts.schemas import Scope
from app.accounts.service import AccountService
from app.core.settings import Settings
from app.http.context import AppContext
from app.http.errors import RateLimitedError
from app.main import create_app
from tests.support.engines import on_sqlite
from tests.support.ports import free_port
from tests.support.rows import make_tenant


def _settings(limit: int | None, url: str | None = None) -> Settings:
    return Settings(max_tenant_requests_per_minute=limit, redis_url=SecretStr(url) if url else None)


@pytest.fixture(params=["memory", "redis"])
def url(request: pytest.FixtureRequest) -> str | None:
    """Where buckets are kept."""
    return request.getfixturevalue("redis_url") if request.param == "redis" else None


class TestBucket:
    def test_lets_as_many_through_at_once_as_the_limit_says(self, url: str | None) -> None:
        limiter, tenant_id = RateLimiter(_settings(10, url)), uuid4()
        for _ in range(10):
            limiter.require(tenant_id, None)
        with pytest.raises(RateLimitedError) as caught:
            limiter.require(tenant_id, None)
        assert caught.value.headers == {"Retry-After": "6"}
        assert caught.value.extra == {"quota": "requests_per_minute", "limit": 10}
        limiter.require(uuid4(), None)

    def test_has_another_token_after_retry_after(self, url: str | None) -> None:
        limiter, tenant_id = RateLimiter(_settings(60, url)), uuid4()
        for _ in range(60):
            limiter.require(tenant_id, None)
        with pytest.raises(RateLimitedError) as caught:
            limiter.require(tenant_id, None)
        time.sleep(int(caught.value.headers["Retry-After"]))
        limiter.require(tenant_id, None)

    def test_takes_the_limit_of_the_tenants_own(self, url: str | None) -> None:
        limiter, tenant_id = RateLimiter(_settings(None, url)), uuid4()
        limiter.require(tenant_id, 1)
        with pytest.raises(RateLimitedError):
            limiter.require(tenant_id, 1)

    def test_is_the_same_for_all_processes_on_one_redis(self, redis_url: str) -> None:
        one, other = (RateLimiter(_settings(1, redis_url)) for _ in range(2))
        tenant_id = uuid4()
        one.require(tenant_id, None)
        with pytest.raises(RateLimitedError):
            other.require(tenant_id, None)

    def test_goes_on_in_the_process_while_redis_is_away(self) -> None:
        limiter = RateLimiter(_settings(2, f"redis://127.0.0.1:{free_port()}/0"))
        tenant_id, start = uuid4(), time.monotonic()
        limiter.require(tenant_id, None)
        limiter.require(tenant_id, None)
        with pytest.raises(RateLimitedError):
            limiter.require(tenant_id, None)
        assert time.monotonic() - start < 2


class TestDefaults:
    def test_are_for_hosts_that_others_reach(self) -> None:
        assert set(Settings(host="127.0.0.1").quotas.values()) == {None}
        open_to_others = Settings(host="0.0.0.0").quotas  # noqa: S104 - nothing listens
        assert open_to_others["requests_per_minute"] == 1200
        assert open_to_others["queued_jobs"] == 1000


@on_sqlite
class TestOverHttp:
    @pytest.fixture
    def client(self, settings: Settings) -> Iterator[TestClient]:
        changed = settings.model_copy(update={"max_tenant_requests_per_minute": 10})
        app: FastAPI = create_app(changed)
        context: AppContext = app.state.context
        with context.database.unit_of_work() as session:
            _, key = AccountService(session, context.pepper).create_key(
                make_tenant(session).id, name="test", scopes=[*Scope]
            )
        with TestClient(app, headers={"Authorization": f"Bearer {key}"}) as client:
            yield client

    def test_the_eleventh_request_of_ten_is_told_when_to_come_again(
        self, client: TestClient
    ) -> None:
        assert [client.get("/v1/jobs").status_code for _ in range(10)] == [200] * 10
        reply = client.get("/v1/jobs")
        assert (reply.status_code, reply.json()["code"]) == (429, "rate_limited")
        assert reply.json()["quota"] == "requests_per_minute"
        assert reply.headers["content-type"] == "application/problem+json"
        time.sleep(int(reply.headers["retry-after"]))
        assert client.get("/v1/jobs").status_code == 200

    def test_pages_and_sign_ins_count_like_calls(self, client: TestClient) -> None:
        key = client.headers.pop("authorization").removeprefix("Bearer ")
        client.headers.update({"Sec-Fetch-Site": "same-origin"})
        client.follow_redirects = False
        for _ in range(4):
            assert client.post("/sign-in", data={"key": key}).status_code == 303
        for page in ("/datasets", "/datasets", "/datasets", "/sign-in", "/sign-in", "/v1/jobs"):
            assert client.get(page).status_code < 400, page
        for reply in (
            client.post("/sign-in", data={"key": key}),
            client.get("/datasets"),
            client.get("/sign-in"),
            client.get("/v1/jobs"),
        ):
            assert (reply.status_code, reply.json()["code"]) == (429, "rate_limited"), reply.url
            assert int(reply.headers["retry-after"]) > 0

    def test_calls_without_a_key_are_no_ones_tokens(self, client: TestClient) -> None:
        bad = {"Authorization": "Bearer x"}
        for _ in range(20):
            assert client.get("/v1/jobs", headers=bad).status_code == 401
        assert client.get("/v1/jobs").status_code == 200
