import io
import tempfile
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.accounts.schemas import Scope
from app.core.ids import format_sample_id
from app.http.context import AppContext
from app.models import Dataset, Job, JobKind, JobState, Queue, Tenant
from tests.app.asgi import Reply, post
from tests.app.conftest import MakeClient, NotedWakeUps
from tests.app.jobs.test_finished_upload import send
from tests.app.uploads.test_endpoints import begin
from tests.app.walking import walk
from tests.support.factories import make_artifact, make_sample, publish_findings
from tests.support.rows import make_dataset, make_job

PARQUET = b"PAR1" + bytes(300)


def make_npz() -> bytes:
    file = io.BytesIO()
    np.savez(file, pred_probs=np.full((4, 2), 0.5), given_label=np.arange(4) % 2)
    return file.getvalue()


NPZ = make_npz()


@pytest.fixture(autouse=True)
def no_temp_folder(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    database_url: str,  # noqa: ARG001 - a server that has yet to start needs a folder
) -> None:
    """Whoever spools an upload fails."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "there-is-no-temp-folder"))


def upload(
    client: TestClient, content: bytes = NPZ, file_name: str = "oof.npz", **fields: str
) -> Any:
    return client.post("/v1/scores", files={"file": (file_name, content)}, data=fields)


def code(reply: Any) -> tuple[int, str]:
    status = reply.status if isinstance(reply, Reply) else reply.status_code
    return status, reply.json()["code"]


def left_over(context: AppContext) -> list[Path]:
    folders = [context.folder.root / name for name in ("incoming", "uploads")]
    return [path for folder in folders for path in folder.glob("**/*") if path.is_file()]


class TestFinishedUpload:
    def test_becomes_a_data_set_with_its_job(
        self, client: TestClient, context: AppContext, wake_ups: NotedWakeUps
    ) -> None:
        body = {"upload_id": send(client, NPZ, "oof.npz")}
        reply = client.post("/v1/scores", json=body)
        assert reply.status_code == 202, reply.text
        assert client.post("/v1/scores", json=body).json() == reply.json()
        dataset = client.get(f"/v1/datasets/{reply.json()['dataset_id']}").json()
        assert (dataset["name"], dataset["state"]) == ("oof", "pending")
        assert client.get(reply.headers["location"]).json()["kind"] == "score"
        (stored,) = left_over(context)
        assert (stored.name, stored.read_bytes()) == (dataset["id"], NPZ)
        assert wake_ups.queues == ["cpu"]

    def test_may_have_a_name_and_nothing_else(self, client: TestClient) -> None:
        body = {"upload_id": send(client, NPZ), "name": "Folds"}
        made = client.post("/v1/scores", json=body).json()
        assert client.get(f"/v1/datasets/{made['dataset_id']}").json()["name"] == "Folds"
        assert code(client.post("/v1/scores", json=body | {"audit": {}}))[0] == 422

    def test_must_be_scores(self, client: TestClient) -> None:
        reply = client.post("/v1/scores", json={"upload_id": send(client, b"PK" + bytes(300))})
        assert code(reply) == (422, "unknown_scores_format")

    def test_must_be_there_and_whole(self, client: TestClient) -> None:
        reply = client.post("/v1/scores", json={"upload_id": str(uuid4())})
        assert code(reply) == (404, "not_found")
        upload_id = begin(client, 10).rpartition("/")[2]
        reply = client.post("/v1/scores", json={"upload_id": upload_id})
        assert code(reply) == (409, "upload_incomplete")


class TestCreateScores:
    def test_stores_the_bytes_and_queues_a_short_job(
        self, client: TestClient, context: AppContext, wake_ups: NotedWakeUps
    ) -> None:
        reply = upload(client)
        assert reply.status_code == 202
        assert set(reply.json()) == {"dataset_id", "job_id"}
        assert reply.headers["location"] == f"/v1/jobs/{reply.json()['job_id']}"
        dataset = client.get(f"/v1/datasets/{reply.json()['dataset_id']}").json()
        assert (dataset["name"], dataset["state"]) == ("oof", "pending")
        job = client.get(reply.headers["location"]).json()
        assert (job["kind"], job["state"], job["options"]) == ("score", "queued", {})
        assert left_over(context) == [context.folder.upload(UUID(dataset["id"]))]
        assert left_over(context)[0].read_bytes() == NPZ
        assert wake_ups.queues == ["cpu"]

    def test_takes_parquet_and_a_name(self, client: TestClient) -> None:
        reply = upload(client, PARQUET, "x.parquet", name=" Mine ")
        path = f"/v1/datasets/{reply.json()['dataset_id']}"
        assert client.get(path).json()["name"] == "Mine"

    def test_needs_no_right_to_train(self, make_client: MakeClient, tenant: Tenant) -> None:
        assert upload(make_client(tenant.id, [Scope.WRITE])).status_code == 202
        assert code(upload(make_client(tenant.id, [Scope.READ, Scope.TRAIN]))) == (403, "forbidden")

    def test_is_nobody_elses(self, client: TestClient, stranger: TestClient) -> None:
        location = upload(client).headers["location"]
        assert code(stranger.get(location)) == (404, "not_found")

    def test_a_failed_one_waits_for_the_short_queue_again(
        self, client: TestClient, context: AppContext, wake_ups: NotedWakeUps
    ) -> None:
        location = upload(client).headers["location"]
        client.post(f"{location}/cancel")
        assert client.post(f"{location}/retry").status_code == 202
        with context.database.read() as session:
            assert session.get_one(Job, UUID(location.rpartition("/")[2])).queue is Queue.CPU
        assert wake_ups.queues == ["cpu", "cpu"]


class TestRefusedScores:
    @pytest.fixture(autouse=True)
    def leaves_nothing(self, client: TestClient, context: AppContext) -> Iterator[None]:
        yield
        assert left_over(context) == []
        assert walk(client, "/v1/datasets") == []

    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            (b"", "empty_upload"),
            (b"PAR", "unknown_scores_format"),
            (b"PARE" + bytes(300), "unknown_scores_format"),
            (b"\x93NUMPY" + bytes(300), "unknown_scores_format"),
            (b"\x1f\x8b" + bytes(300), "unknown_scores_format"),
            (b"a,b\n" * 100, "unknown_scores_format"),
        ],
    )
    def test_for_its_first_bytes(self, client: TestClient, content: bytes, expected: str) -> None:
        assert code(upload(client, content)) == (422, expected)

    def test_without_its_file(self, client: TestClient) -> None:
        reply = client.post("/v1/scores", files={"name": (None, "mine")})
        assert code(reply) == (422, "missing_file")

    def test_with_options_of_a_training(self, client: TestClient) -> None:
        reply = upload(client, audit="none")
        assert code(reply) == (422, "validation_error")
        assert reply.json()["errors"][0]["loc"] == ["body", "audit"]

    def test_that_is_no_form(self, client: TestClient) -> None:
        reply = client.post("/v1/scores", content=b"1", headers={"Content-Type": "text/plain"})
        assert code(reply) == (415, "unsupported_media_type")

    def test_that_is_too_large(self, app: FastAPI, client: TestClient) -> None:
        limit(app, max_upload_bytes=100)
        assert code(upload(client)) == (413, "payload_too_large")

    def test_that_does_not_fit_on_the_disk(self, app: FastAPI, client: TestClient) -> None:
        limit(app, min_free_bytes=2**50)
        assert code(upload(client)) == (507, "no_space")


def test_memory_stays_flat(app: FastAPI, client: TestClient, context: AppContext) -> None:
    num_bytes, chunk = 100 * 2**20, bytes(64 * 1024)
    head = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\nPAR1'

    def chunks() -> Iterator[bytes]:
        yield head
        for _ in range(num_bytes // len(chunk)):
            yield chunk
        yield b"\r\n--edge--\r\n"

    headers = {
        "Authorization": client.headers["authorization"],
        "Content-Type": "multipart/form-data; boundary=edge",
    }
    tracemalloc.start()
    reply = post(app, "/v1/scores", headers=headers, chunks=chunks())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert reply.status == 202
    (stored,) = left_over(context)
    assert stored.stat().st_size == num_bytes + 4
    assert peak < 20 * 2**20


def limit(app: FastAPI, **settings: int) -> None:
    context: AppContext = app.state.context
    changed = context.settings.model_copy(update=settings)
    app.state.context = replace(context, settings=changed)


class TestJudgedScores:
    @pytest.fixture
    def dataset(self, context: AppContext, tenant: Tenant) -> Dataset:
        """A data set of three rows that a job has judged."""
        no_image = dict.fromkeys(("sha256", "media_type", "width", "height"))
        with context.database.unit_of_work() as session:
            dataset = make_dataset(session, tenant.id, image_size=None, num_samples=3)
            rows = [make_sample(session, dataset, i, path=str(i), **no_image) for i in range(3)]
            job = make_job(session, dataset, kind=JobKind.SCORE, queue=Queue.CPU, options={})
            publish_findings(session, job, rows)
            make_artifact(session, job, "report", b"{}")
        return dataset

    @pytest.fixture
    def job(self, client: TestClient, dataset: Dataset) -> str:
        (job,) = walk(client, "/v1/jobs", dataset_id=str(dataset.id))
        assert (job["kind"], job["state"]) == ("score", JobState.SUCCEEDED)
        return f"/v1/jobs/{job['id']}"

    def test_have_findings_named_by_their_rows(self, client: TestClient, job: str) -> None:
        assert [item["path"] for item in walk(client, f"{job}/samples")] == ["0", "1", "2"]

    def test_have_samples_without_an_image(self, client: TestClient, dataset: Dataset) -> None:
        samples = walk(client, f"/v1/datasets/{dataset.id}/samples")
        for sample in samples:
            assert (sample["sha256"], sample["media_type"]) == (None, None)
            assert (sample["width"], sample["height"]) == (None, None)
            for size in ("thumb", "full"):
                reply = client.get(
                    f"/v1/samples/{sample['sample_id']}/image", params={"size": size}
                )
                assert code(reply) == (404, "no_image")

    def test_hide_their_images_from_strangers_like_all_others(
        self, client: TestClient, stranger: TestClient, dataset: Dataset
    ) -> None:
        (sample, *_) = walk(client, f"/v1/datasets/{dataset.id}/samples")
        for sample_id in (sample["sample_id"], format_sample_id(2**40)):
            assert code(stranger.get(f"/v1/samples/{sample_id}/image")) == (404, "not_found")

    def test_have_a_report_and_no_model(self, client: TestClient, job: str) -> None:
        (artifact,) = client.get(f"{job}/artifacts").json()["items"]
        assert (artifact["kind"], artifact["url"]) == ("report", f"{job}/report")
        for model_format in ("safetensors", "card", "torchscript", "onnx"):
            reply = client.get(f"{job}/model", params={"format": model_format})
            assert code(reply) == (404, "no_model")

    def test_cannot_be_trained_on(self, client: TestClient, dataset: Dataset) -> None:
        reply = client.post("/v1/jobs", json={"dataset_id": str(dataset.id)})
        assert code(reply) == (409, "no_images")

    def test_can_be_deleted(self, client: TestClient, dataset: Dataset) -> None:
        assert client.delete(f"/v1/datasets/{dataset.id}").status_code == 204
        assert walk(client, "/v1/jobs") == []
