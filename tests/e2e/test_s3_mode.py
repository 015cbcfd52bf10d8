"""The main job with images and results in S3, also while the store is away for a time."""

import hashlib
import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load

from tests.support.archives import write_tiny_zip
from tests.support.client import ServiceClient
from tests.support.line import Line, line_to
from tests.support.servers import running_s3
from tests.support.stack import Stack, running_stack
from tests.support.waiting import wait_for

PATIENCE_SECONDS = 25
NUM_TRAIN = 90


@pytest.fixture(scope="module")
def line() -> Iterator[Line]:
    with running_s3() as url, line_to(url) as line:
        assert httpx2.put(f"{url}/images").is_success
        yield line


@pytest.fixture(scope="module")
def stack(line: Line, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(
        tmp_path_factory.mktemp("s3"),
        LABELAUDIT_STORE_URL="s3://images/here",
        LABELAUDIT_S3_ENDPOINT=f"http://127.0.0.1:{line.port}",
        LABELAUDIT_STORE_PATIENCE_SECONDS=str(PATIENCE_SECONDS),
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        AWS_DEFAULT_REGION="us-east-1",
    ) as running:
        yield running


@pytest.fixture(scope="module")
def client(stack: Stack) -> ServiceClient:
    return stack.new_client()


def large_picture() -> bytes:
    """One that has a thumbnail."""
    file = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 256, (300, 400, 3), np.uint8)
    Image.fromarray(noise).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("upload") / "colours.zip"
    extra = {"set/train/red/large.png": large_picture()}
    write_tiny_zip(file, num_train=NUM_TRAIN, num_test=12, extra=extra)
    return file


@pytest.fixture(scope="module")
def job(client: ServiceClient, archive: Path) -> dict[str, Any]:
    reply = client.upload(archive, audit='{"preset": "standard", "epochs": 2}')
    return client.wait(reply.json()["job_id"])


def image_of(client: ServiceClient, dataset_id: str, path: str, size: str) -> httpx2.Response:
    rows = client.http.get(f"/v1/datasets/{dataset_id}/samples", params={"limit": 500}).json()
    (sample_id,) = (row["sample_id"] for row in rows["items"] if row["path"] == path)
    return client.http.get(f"/v1/samples/{sample_id}/image", params={"size": size})


class TestMainJob:
    def test_is_done_from_upload_to_findings(
        self, client: ServiceClient, job: dict[str, Any]
    ) -> None:
        assert (job["state"], job["error"]) == ("succeeded", None)
        assert len(client.findings(job["id"])) == NUM_TRAIN + 1
        assert client.http.get(f"/v1/jobs/{job['id']}/report").is_success

    def test_shows_images_and_thumbnails(self, client: ServiceClient, job: dict[str, Any]) -> None:
        path = "set/train/red/large.png"
        full = image_of(client, job["dataset_id"], path, "full")
        assert full.content == large_picture()
        thumb = image_of(client, job["dataset_id"], path, "thumb")
        assert thumb.headers["content-type"] == "image/webp"
        assert max(Image.open(io.BytesIO(thumb.content)).size) == 256

    def test_gives_the_model(self, client: ServiceClient, job: dict[str, Any]) -> None:
        model = client.http.get(f"/v1/jobs/{job['id']}/model")
        assert load(model.content)

    def test_exports_all_images(
        self, client: ServiceClient, job: dict[str, Any], archive: Path
    ) -> None:
        url = f"/v1/datasets/{job['dataset_id']}/exports"
        made = client.http.post(url, json={"format": "imagefolder", "labels": "given"}).json()
        assert client.wait(made["job_id"])["state"] == "succeeded"
        content = client.http.get(f"/v1/exports/{made['export_id']}/download").content
        with zipfile.ZipFile(io.BytesIO(content)) as out, zipfile.ZipFile(archive) as into:
            exported = {out.read(name) for name in out.namelist() if name.endswith(".png")}
            assert exported == {into.read(name) for name in into.namelist()}

    def test_leaves_nothing_but_caches_on_this_machine(
        self, stack: Stack, job: dict[str, Any], archive: Path
    ) -> None:
        assert job["state"] == "succeeded"
        wait_for(lambda: not _job_files(stack), seconds=30, what="jobs are tidied up")
        with zipfile.ZipFile(archive) as file:
            ours = {hashlib.sha256(file.read(name)).hexdigest() for name in file.namelist()}
        ours.add(hashlib.sha256(archive.read_bytes()).hexdigest())
        for path in _files(stack.data_dir):
            assert hashlib.sha256(path.read_bytes()).hexdigest() not in ours
        places = {path.relative_to(stack.data_dir).parts[0] for path in _files(stack.data_dir)}
        assert not places & {"blobs", "uploads", "incoming", "jobs"}, places
        assert "cache" in places


def _files(folder: Path) -> list[Path]:
    """Walk, also while folders go away."""
    return [Path(here) / name for here, _, names in os.walk(folder) for name in names]


def _job_files(stack: Stack) -> list[Path]:
    return _files(stack.data_dir / "jobs")


class TestWhileTheStoreIsAway:
    def test_the_api_says_so_and_goes_on_when_it_is_back(
        self, client: ServiceClient, job: dict[str, Any], line: Line
    ) -> None:
        path = "set/train/red/large.png"
        line.cut()
        try:
            reply = image_of(client, job["dataset_id"], path, "full")
            model = client.http.get(f"/v1/jobs/{job['id']}/model")
            assert client.findings(job["id"])  # what lies in the database is not concerned
        finally:
            line.mend()
        for answer in (reply, model):
            assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
            assert answer.headers["content-type"] == "application/problem+json"
            assert int(answer.headers["retry-after"]) > 0
        assert image_of(client, job["dataset_id"], path, "full").is_success

    def test_a_worker_waits_for_it(
        self, client: ServiceClient, job: dict[str, Any], line: Line, archive: Path
    ) -> None:
        line.cut()
        try:
            job_id = client.upload(archive, audit="none").json()["job_id"]
            wait_for(
                lambda: client.job(job_id)["progress"]["fraction"] == 1.0,
                seconds=60, what="all images are read",
            )  # fmt: skip
            assert client.job(job_id)["state"] == "running"
        finally:
            line.mend()
        ended = client.wait(job_id, seconds=60)
        assert (ended["state"], ended["lost_attempts"]) == ("succeeded", 0)
        again, first = (
            client.http.get(f"/v1/datasets/{one['dataset_id']}").json() for one in (ended, job)
        )
        assert again["content_hash"] == first["content_hash"]

    def test_a_job_fails_in_the_end_with_a_code_and_can_be_retried(
        self, client: ServiceClient, line: Line, archive: Path
    ) -> None:
        line.cut()
        try:
            job_id = client.upload(archive, audit="none").json()["job_id"]
            ended = client.wait(job_id, seconds=3 * PATIENCE_SECONDS)
        finally:
            line.mend()
        assert (ended["state"], ended["error"]["code"]) == ("failed", "store_unavailable")
        assert client.http.post(f"/v1/jobs/{job_id}/retry").is_success
        assert client.wait(job_id, seconds=60)["state"] == "succeeded"
