import pytest
from fastapi import FastAPI
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from app.core.db import Database


class TestProblem:
    def test_has_all_members_of_rfc_9457(self, client: TestClient) -> None:
        reply = client.get("/v1/jobs/nobody")
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json() == {
            "type": "urn:labelaudit:problem:not_found",
            "title": "Not found",
            "status": 404,
            "detail": "There is no job with this id.",
            "code": "not_found",
            "request_id": reply.headers["x-request-id"],
        }

    @pytest.mark.parametrize(
        ("method", "path", "status", "code"),
        [
            ("GET", "/nope", 404, "not_found"),
            ("GET", "/v1/nope", 404, "not_found"),
            ("PUT", "/v1/jobs", 405, "method_not_allowed"),
            ("GET", "/v1/jobs?limit=0", 422, "validation_error"),
            ("GET", "/v1/jobs?limit=501", 422, "validation_error"),
            ("GET", "/v1/jobs?state=lost", 422, "validation_error"),
            ("GET", "/v1/jobs?cursor=x", 422, "invalid_cursor"),
            ("GET", "/static/nope.js", 404, "not_found"),
        ],
    )
    def test_is_the_form_of_every_error(
        self, client: TestClient, method: str, path: str, status: int, code: str
    ) -> None:
        reply = client.request(method, path)
        assert (reply.status_code, reply.json()["code"]) == (status, code)
        assert reply.headers["content-type"] == "application/problem+json"

    def test_names_each_refused_field(self, client: TestClient) -> None:
        reply = client.post("/v1/jobs", json={"dataset_id": 1, "colour": "red"})
        errors = reply.json()["errors"]
        assert [error["loc"] for error in errors] == [["body", "dataset_id"], ["body", "colour"]]
        assert all(set(error) == {"loc", "message", "code"} for error in errors)

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"\\ud800": 1}', b"\xff", b'{"a":NaN}'])
    def test_answers_any_body(self, client: TestClient, body: bytes) -> None:
        reply = client.post("/v1/jobs", content=body, headers={"Content-Type": "application/json"})
        assert reply.status_code in {400, 422}
        assert reply.headers["content-type"] == "application/problem+json"


class TestUnexpectedError:
    @pytest.fixture
    def broken(self, app: FastAPI) -> FastAPI:
        def bug() -> None:
            raise RuntimeError("secret detail")

        def down() -> None:
            raise OperationalError("SELECT secret", {}, Exception("no route to host"))

        app.add_api_route("/bug", bug)
        app.add_api_route("/down", down)
        return app

    def test_tells_nothing_of_its_cause(
        self, broken: FastAPI, capsys: pytest.CaptureFixture[str]
    ) -> None:
        client = TestClient(broken, headers={"Authorization": "Bearer do-not-log-me"})
        reply = client.get("/bug")
        assert (reply.status_code, reply.json()["code"]) == (500, "internal")
        assert "secret" not in reply.text
        assert reply.headers["x-request-id"] == reply.json()["request_id"]
        logged = "".join(capsys.readouterr())
        assert "RuntimeError: secret detail" in logged
        assert "do-not-log-me" not in logged

    def test_of_the_database_asks_to_come_again(self, broken: FastAPI) -> None:
        reply = TestClient(broken).get("/down")
        assert (reply.status_code, reply.json()["code"]) == (503, "database_unavailable")
        assert int(reply.headers["retry-after"]) > 0
        assert "SELECT" not in reply.text


class TestDatabaseDown:
    def test_is_told_by_authentication_too(
        self, client: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def down(_self: Database) -> None:
            raise OperationalError("SELECT secret", {}, Exception("no route to host"))

        monkeypatch.setattr(Database, "ask", down)
        reply = client.get("/v1/jobs")
        assert (reply.status_code, reply.json()["code"]) == (503, "database_unavailable")
