"""Resumable uploads by real tus clients, through lines that break and services that die."""

import hashlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from tusclient.client import TusClient

from labelaudit import Client
from tests.support.archives import write_tiny_zip
from tests.support.line import BadLine, laid, port_of
from tests.support.processes import find_processes, started
from tests.support.service import Service

TUS_JS = Path(__file__).parent / "tus_js"
PIECE = 256 * 1024
WRONG_OFFSET, WRONG_CHECKSUM = 409, 460


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of 2 MiB, most of it a file that is no image."""
    path = tmp_path_factory.mktemp("upload") / "colours.zip"
    write_tiny_zip(path, num_train=60, extra={"set/notes.bin": os.urandom(2 * 1024**2)})
    return path


@pytest.fixture(scope="module")
def tus_js(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tus-js-client; where npm is missing, CI fails and others see a skip."""
    if shutil.which("npm") is None:
        if os.environ.get("CI"):
            pytest.fail("tus-js-client needs Node")
        pytest.skip("tus-js-client needs Node")
    folder = tmp_path_factory.mktemp("tus_js")
    for name in ("package.json", "package-lock.json", "upload.mjs"):
        shutil.copy(TUS_JS / name, folder)
    subprocess.run(["npm", "ci", "--silent", "--no-audit"], cwd=folder, check=True)  # noqa: S607 - found above
    return folder


def kill_api(service: Service) -> None:
    """Kill -9 the HTTP process; the supervisor starts another one."""
    (pid,) = find_processes("labelaudit\0api", service.url.rpartition(":")[2])
    os.kill(pid, signal.SIGKILL)


def key_of(service: Service) -> str:
    return service.key


def assert_becomes_a_data_set(service: Service, url: str, archive: Path) -> None:
    body = {"upload_id": url.rpartition("/")[2], "audit": "none"}
    reply = service.http.post("/v1/datasets", json=body)
    assert reply.status_code == 202, reply.text
    assert_is_taken_in(service, reply.json(), archive)


def assert_is_taken_in(service: Service, submission: Any, archive: Path) -> None:
    assert service.wait(submission["job_id"])["state"] == "succeeded"
    dataset = service.http.get(f"/v1/datasets/{submission['dataset_id']}").json()
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert (dataset["upload"]["sha256"], dataset["num_samples"]) == (sha256, 60)


@pytest.fixture
def bad_line(service: Service, archive: Path) -> Iterator[BadLine]:
    """Broken at 40 %; at half the way a byte arrives that was not sent."""
    size = archive.stat().st_size
    line = BadLine(port_of(service.url), cut_at=int(0.4 * size), wrong_at=int(0.5 * size))
    with laid(line):
        yield line


def assert_met_all(line: BadLine) -> None:
    assert {WRONG_OFFSET, WRONG_CHECKSUM} <= set(line.statuses), line.statuses


class TestTuspy:
    def test_survives_cut_kill_wrong_offset_and_wrong_checksum(
        self, service: Service, archive: Path, bad_line: BadLine
    ) -> None:
        headers = {"Authorization": f"Bearer {key_of(service)}"}
        tus = TusClient(f"http://127.0.0.1:{bad_line.port}/v1/uploads", headers=headers)
        options: dict[str, Any] = {
            "chunk_size": PIECE, "retries": 30, "retry_delay": 0.3, "upload_checksum": True,
        }  # fmt: skip
        size = archive.stat().st_size
        with archive.open("rb") as file:
            first = tus.uploader(file_stream=file, metadata={"filename": "x.zip"}, **options)
            first.upload(stop_at=int(0.6 * size))
            assert 0 < first.offset < size

            second = tus.uploader(file_stream=file, url=first.url, **options)
            assert second.offset == first.offset
            second.offset -= 1
            second.upload_chunk()  # type: ignore[no-untyped-call]  # its own omission
            kill_api(service)
            second.upload()
        assert second.offset == size
        assert_met_all(bad_line)
        assert_becomes_a_data_set(service, str(second.url), archive)


class TestTusJsClient:
    def test_survives_cut_kill_wrong_offset_and_wrong_checksum(
        self, service: Service, archive: Path, tus_js: Path, bad_line: BadLine
    ) -> None:
        endpoint = f"http://127.0.0.1:{bad_line.port}/v1/uploads"
        command = ["node", "upload.mjs", endpoint, key_of(service)]
        with started([*command, archive], cwd=tus_js, stdout=subprocess.PIPE, text=True) as client:
            assert client.stdout is not None
            url = self._follow(client.stdout, archive, lambda: kill_api(service))
        assert client.returncode == 0
        assert_met_all(bad_line)
        assert_becomes_a_data_set(service, url, archive)

    @staticmethod
    def _follow(lines: IO[str], archive: Path, at_60_percent: Callable[[], None]) -> str:
        killed, url = False, ""
        for line in lines:
            word, _, value = line.strip().partition(" ")
            if word == "url":
                url = value
            elif not killed and int(value) >= 0.6 * archive.stat().st_size:
                killed = True
                at_60_percent()
        assert killed
        return url


class TestOwnClient:
    @pytest.fixture
    def small_pieces(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("labelaudit.client._sync.files.RESUMABLE_FROM_BYTES", 1024)
        monkeypatch.setattr("labelaudit.client._sync.files.PIECE_BYTES", PIECE)

    @pytest.mark.usefixtures("small_pieces")
    def test_goes_on_after_a_kill(self, service: Service, archive: Path) -> None:
        sent: list[int] = []

        def on_sent(num_bytes: int) -> None:
            sent.append(num_bytes)
            if len(sent) == 5:
                kill_api(service)

        with Client(service.url, key_of(service)) as client:
            submission = client.upload_dataset(archive, audit=False, on_sent=on_sent)
        assert sent[-1] == archive.stat().st_size
        assert_is_taken_in(service, submission, archive)
