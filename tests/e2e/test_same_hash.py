"""One archive on each way in: always the same data set."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from tusclient.client import TusClient

from tests.support.archives import write_tiny_zip
from tests.support.service import Service


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("upload") / "colours.zip"
    write_tiny_zip(path, num_train=60, num_test=12)
    return path


def by_multipart(service: Service, archive: Path) -> None:
    reply = service.upload(archive, audit="none")
    assert service.wait(reply.json()["job_id"])["state"] == "succeeded"


def by_tus(service: Service, archive: Path) -> None:
    headers = {"Authorization": str(service.http.headers["authorization"])}
    with archive.open("rb") as file:
        tus = TusClient(f"{service.url}/v1/uploads", headers=headers)
        sent = tus.uploader(file_stream=file, metadata={"filename": archive.name}, chunk_size=4096)
        sent.upload()
    body = {"upload_id": str(sent.url).rpartition("/")[2], "audit": "none"}
    reply = service.http.post("/v1/datasets", json=body)
    assert service.wait(reply.json()["job_id"])["state"] == "succeeded"


def by_command(service: Service, source: Path) -> None:
    key = service.key
    command = [
        "audit", str(source), "--url", service.url, "--preset", "standard", "--epochs", "1",
        "--out", str(source.with_name(f"{source.name}-out")),
    ]  # fmt: skip
    subprocess.run(
        [sys.executable, "-P", "-m", "labelaudit", *command],
        env=os.environ | {"LABELAUDIT_API_KEY": key}, check=True, timeout=240,
        capture_output=True,
    )  # fmt: skip


def by_command_from_a_folder(service: Service, archive: Path) -> None:
    folder = archive.with_name("unpacked")
    with zipfile.ZipFile(archive) as file:
        file.extractall(folder)
    by_command(service, folder)


def test_has_the_same_content_hash(service: Service, archive: Path) -> None:
    for way in (by_multipart, by_tus, by_command, by_command_from_a_folder):
        way(service, archive)
    rows: list[dict[str, Any]] = service.http.get("/v1/datasets").json()["items"]
    assert [row["num_samples"] for row in rows] == [72] * 4
    assert len({row["content_hash"] for row in rows}) == 1
    assert len({row["upload"]["sha256"] for row in rows[1:]}) == 1  # the first was packed anew
