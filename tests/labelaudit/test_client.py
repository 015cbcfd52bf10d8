import json
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from labelaudit import Client
from labelaudit.errors import ApiError, InputError, UnreachableError
from tests.labelaudit.fake_service import CARD, KEY, WEIGHTS, FakeService, finding, job
from tests.labelaudit.http_server import serving


@pytest.fixture
def service() -> FakeService:
    return FakeService(jobs=[job("succeeded")])


def connect(service: FakeService, key: str | None = KEY) -> Client:
    return Client("http://127.0.0.1:1/", key, transport=service.transport)


class TestUpload:
    def test_sends_the_file_with_its_options_and_reports_each_piece(
        self, service: FakeService, tmp_path: Path
    ) -> None:
        archive = tmp_path / "images.zip"
        archive.write_bytes(b"z" * 200_000)
        sent: list[int] = []
        with connect(service) as client:
            answer = client.upload_dataset(
                archive, name="mine", options={"epochs": 3}, on_sent=sent.append
            )
        assert answer == {"dataset_id": "d1", "job_id": "j1"}
        body = service.uploads[0]
        assert b"z" * 200_000 in body
        assert b'filename="images.zip"' in body
        assert json.dumps({"epochs": 3}).encode() in body
        assert b"mine" in body
        assert len(sent) > 3
        assert sorted(sent) == sent
        assert sent[-1] == 200_000

    def test_of_a_data_set_alone_asks_for_no_audit(
        self, service: FakeService, tmp_path: Path
    ) -> None:
        archive = tmp_path / "images.zip"
        archive.write_bytes(b"z")
        with connect(service) as client:
            client.upload_dataset(archive, audit=False)
        assert b'name="audit"\r\n\r\nnone\r\n' in service.uploads[0]

    def test_takes_a_file_name_that_is_no_text(self, service: FakeService, tmp_path: Path) -> None:
        archive = tmp_path / b"\xff.zip".decode(errors="surrogateescape")
        archive.write_bytes(b"z")
        with connect(service) as client:
            client.upload_dataset(archive)
        assert len(service.uploads) == 1


class TestLists:
    def test_yields_every_page_once_in_order(self, service: FakeService) -> None:
        service.findings = [finding(rank) for rank in range(1, 6)]
        with connect(service) as client:
            ranks = [found["rank"] for found in client.iter_findings("j1", flagged=True)]
        assert ranks == [1, 2, 3, 4, 5]
        assert all(request.url.params["flagged"] == "true" for request in service.requests)

    def test_downloads_model_and_card(self, service: FakeService, tmp_path: Path) -> None:
        with connect(service) as client:
            client.download_model("j1", tmp_path / "m.safetensors")
            client.download_model("j1", tmp_path / "m.json", form="card")
        assert (tmp_path / "m.safetensors").read_bytes() == WEIGHTS
        assert (tmp_path / "m.json").read_bytes() == CARD
        assert sorted(path.name for path in tmp_path.iterdir()) == ["m.json", "m.safetensors"]


class TestFailures:
    def test_a_problem_becomes_an_error_with_its_code(self, service: FakeService) -> None:
        with connect(service, key="la_live_other") as client, pytest.raises(ApiError) as caught:
            client.get_job("j1")
        assert (caught.value.status, caught.value.code) == (401, "unauthenticated")
        assert caught.value.exit_code == 2

    def test_a_streamed_download_shows_its_problem_too(
        self, service: FakeService, tmp_path: Path
    ) -> None:
        with (
            serving(service) as url,
            Client(url, KEY) as client,
            pytest.raises(ApiError, match="no such thing"),
        ):
            client.download_model("j2", tmp_path / "m")
        assert not list(tmp_path.iterdir())

    def test_a_server_error_without_a_problem_is_ours(self) -> None:
        transport = httpx2.MockTransport(lambda _: httpx2.Response(502, text="<html>"))
        with (
            Client("http://x", retries=0, transport=transport) as client,
            pytest.raises(ApiError) as caught,
        ):
            client.get_job("j1")
        assert (caught.value.code, caught.value.exit_code) == ("http_502", 1)

    def test_no_answer_is_ours(self) -> None:
        def refuse(_request: httpx2.Request) -> httpx2.Response:
            raise httpx2.ConnectError("refused")

        client = Client("http://x", retries=0, transport=httpx2.MockTransport(refuse))
        with client, pytest.raises(UnreachableError) as caught:
            client.get_job("j1")
        assert caught.value.exit_code == 1

    def test_a_redirect_is_not_followed(self) -> None:
        def move(request: httpx2.Request) -> httpx2.Response:
            assert request.url.host == "x"
            return httpx2.Response(307, headers={"Location": "http://elsewhere/"})

        client = Client("http://x", KEY, transport=httpx2.MockTransport(move))
        with client, pytest.raises(ApiError):
            client.get_job("j1")

    @pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://x", "http://", "http://x:port"])
    def test_what_is_no_url_is_refused_at_once(self, url: str) -> None:
        with pytest.raises(InputError) as caught:
            Client(url)
        assert caught.value.code == "invalid_url"

    @pytest.mark.parametrize("make", [lambda: Client("http://x", "ключ")])
    def test_a_key_that_is_no_key_is_refused_at_once(self, make: Callable[[], Client]) -> None:
        with pytest.raises(InputError, match="API key"):
            make()
