"""What is sent again, and when; the same for both clients."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from labelaudit import AsyncClient, Client
from labelaudit.client._async import files as async_files
from labelaudit.client._sync import files as sync_files
from labelaudit.errors import ApiError, LabelAuditError, UnreachableError

Answers = list[httpx2.Response | Exception]


def problem(status: int, code: str = "x", **headers: str) -> httpx2.Response:
    body = {"code": code, "detail": "no"}
    return httpx2.Response(status, json=body, headers=headers)


class Script:
    """Gives answers one after another and notes the requests."""

    def __init__(self, *answers: httpx2.Response | Exception) -> None:
        self.answers: Answers = [*answers]
        self.requests: list[httpx2.Request] = []
        self.bodies: list[bytes] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        self.bodies.append(request.read())
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def sync(script: Script, ask: Callable[[Any], Any]) -> Any:
    with Client("http://x", transport=httpx2.MockTransport(script)) as client:
        return ask(client)


def asynchronous(script: Script, ask: Callable[[Any], Any]) -> Any:
    async def main() -> Any:
        async with AsyncClient("http://x", transport=httpx2.MockTransport(script)) as client:
            return await ask(client)

    return anyio.run(main)


@pytest.fixture(params=[sync, asynchronous], ids=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Note the pauses instead of making them."""
    noted: list[float] = []

    async def note(seconds: float) -> None:
        noted.append(seconds)

    monkeypatch.setattr("time.sleep", noted.append)
    monkeypatch.setattr("asyncio.sleep", note)
    return noted


def ok() -> httpx2.Response:
    return httpx2.Response(200, json={"id": "j"})


class TestRetry:
    @pytest.mark.parametrize(
        "fail",
        [
            lambda: problem(503),
            lambda: problem(429),
            lambda: problem(502),
            lambda: httpx2.ConnectError("refused"),
        ],
    )
    def test_a_read_is_tried_again(self, run: Any, fail: Callable[[], Any]) -> None:
        script = Script(fail(), ok())
        assert run(script, lambda client: client.get_job("j")) == {"id": "j"}
        assert len(script.requests) == 2

    def test_as_late_as_the_service_asks(self, run: Any, pauses: list[float]) -> None:
        script = Script(problem(429, **{"Retry-After": "7"}), ok())
        run(script, lambda client: client.get_job("j"))
        assert 7 in pauses

    def test_a_post_is_tried_again_under_one_key(self, run: Any) -> None:
        script = Script(problem(503), problem(409, "idempotency_in_flight"), ok())
        run(script, lambda client: client.start_audit("d", epochs=3))
        keys = {request.headers["idempotency-key"] for request in script.requests}
        assert (len(script.requests), len(keys)) == (3, 1)

    def test_two_posts_have_two_keys(self, run: Any) -> None:
        first, second = Script(ok()), Script(ok())
        for script in (first, second):
            run(script, lambda client: client.start_audit("d"))
        keys = [script.requests[0].headers["idempotency-key"] for script in (first, second)]
        assert keys[0] != keys[1]

    @pytest.mark.parametrize("status", [400, 404, 409, 412, 422, 501, 507])
    def test_what_will_not_get_better_is_not_tried_again(self, run: Any, status: int) -> None:
        script = Script(problem(status))
        with pytest.raises(ApiError) as caught:
            run(script, lambda client: client.get_job("j"))
        assert caught.value.status == status

    def test_the_last_failure_is_raised(self, run: Any) -> None:
        script = Script(*[httpx2.ConnectError("refused") for _ in range(5)])
        with pytest.raises(UnreachableError):
            run(script, lambda client: client.get_job("j"))
        assert script.answers == []


class TestFiles:
    @pytest.fixture
    def archive(self, tmp_path: Path) -> Path:
        archive = tmp_path / "x.zip"
        archive.write_bytes(b"z" * 5000)
        return archive

    def test_a_form_is_sent_whole_again(self, run: Any, archive: Path) -> None:
        script = Script(problem(503), submission())
        assert run(script, lambda client: client.upload_dataset(archive))["job_id"] == "j"
        assert all(b"z" * 5000 in body for body in script.bodies)
        assert len({request.headers["idempotency-key"] for request in script.requests}) == 1

    def test_a_large_file_goes_on_where_the_service_says(
        self, run: Any, archive: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for kind in (async_files, sync_files):
            monkeypatch.setattr(kind, "RESUMABLE_FROM_BYTES", 1024)
            monkeypatch.setattr(kind, "PIECE_BYTES", 2000)
        script = Script(
            httpx2.Response(201, json={"upload_id": "u"}),
            httpx2.Response(204),
            httpx2.ConnectError("cut"),
            httpx2.Response(200, headers={"Upload-Offset": "3000"}),
            httpx2.Response(204),
            submission(),
        )
        sent: list[int] = []
        run(script, lambda client: client.upload_dataset(archive, on_sent=sent.append))
        assert sent == [2000, 3000, 5000]
        offsets = [request.headers.get("upload-offset") for request in script.requests]
        assert offsets == [None, "0", "2000", None, "3000", None]
        assert b"".join(script.bodies[index] for index in (1, 4)) == b"z" * 4000
        assert b'"upload_id":"u"' in script.bodies[-1]

    def test_a_download_that_breaks_leaves_nothing(self, run: Any, tmp_path: Path) -> None:
        script = Script(httpx2.Response(200, content=b"card"), problem(404))
        run(script, lambda client: client.download_model("j", tmp_path / "card", form="card"))
        with pytest.raises(ApiError):
            run(script, lambda client: client.download_model("j", tmp_path / "model"))
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"card": b"card"}


def submission() -> httpx2.Response:
    return httpx2.Response(202, json={"dataset_id": "d", "job_id": "j"})


def test_waiting_tells_how_a_job_failed(run: Any) -> None:
    seen: list[str] = []
    failed = {"id": "j", "state": "failed", "error": {"code": "no_images", "detail": "none"}}
    script = Script(
        httpx2.Response(200, json={"id": "j", "state": "running", "error": None}),
        httpx2.Response(200, json=failed),
    )
    with pytest.raises(LabelAuditError) as caught:
        run(script, lambda c: c.wait("j", on_progress=lambda job: seen.append(job["state"])))
    assert (caught.value.code, seen) == ("no_images", ["running", "failed"])


def test_a_deprecated_route_is_told(caplog: pytest.LogCaptureFixture) -> None:
    script = Script(httpx2.Response(200, json={}, headers={"Deprecation": "@1", "Sunset": "soon"}))
    sync(script, lambda client: client.get_job("j"))
    assert "may be gone after soon" in caplog.text
