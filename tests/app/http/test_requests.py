import pytest
from starlette.testclient import TestClient


class TestRequestId:
    def test_is_taken_over_and_sent_back(self, anonymous: TestClient) -> None:
        reply = anonymous.get("/v1/jobs", headers={"X-Request-ID": "from-proxy.1"})
        assert reply.headers["x-request-id"] == "from-proxy.1"
        assert reply.json()["request_id"] == "from-proxy.1"

    @pytest.mark.parametrize("given", [None, "", "a b", "x" * 65, "<script>"])
    def test_is_made_where_none_is_usable(self, anonymous: TestClient, given: str | None) -> None:
        headers = {} if given is None else {"X-Request-ID": given}
        one, other = (anonymous.get("/healthz", headers=headers) for _ in range(2))
        assert len(one.headers["x-request-id"]) == 16
        assert one.headers["x-request-id"] != other.headers["x-request-id"]


class TestSecurityHeaders:
    @pytest.mark.parametrize("path", ["/healthz", "/v1/jobs", "/nope", "/openapi.json"])
    def test_are_on_every_reply(self, anonymous: TestClient, path: str) -> None:
        headers = anonymous.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["permissions-policy"]

    def test_keep_what_a_caller_may_see_out_of_caches(self, client: TestClient) -> None:
        assert client.get("/v1/jobs").headers["cache-control"] == "no-store"
