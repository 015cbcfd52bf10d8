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


class TestBodyLimit:
    def test_json_larger_than_1_mib_is_refused(self, client: TestClient) -> None:
        reply = client.post("/v1/jobs", json={"dataset_id": "x" * 1024 * 1024})
        assert (reply.status_code, reply.json()["code"]) == (413, "payload_too_large")
