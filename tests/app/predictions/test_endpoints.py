"""The HTTP side of predictions; tests/worker/stages/test_predict_job.py has the other one."""

from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.http.context import AppContext
from app.models import Dataset, Job, JobKind, JobState, Queue, Tenant
from tests.app.conftest import NotedWakeUps
from tests.app.predictions.conftest import IMAGES, answer
from tests.support.engines import on_sqlite
from tests.support.rows import make_job

NOW = {"wait": 0}


class TestPredict:
    def test_queues_short_work_with_the_images_beside_it(
        self,
        client: TestClient,
        context: AppContext,
        path: str,
        audit: Job,
        wake_ups: NotedWakeUps,
    ) -> None:
        reply = client.post(path, files=IMAGES, params=NOW | {"top_k": 3})
        assert reply.status_code == 202
        job_id = reply.json()["job_id"]
        assert reply.headers["location"] == f"/v1/jobs/{job_id}"
        assert reply.json()["url"] == f"/v1/jobs/{job_id}/predictions"
        assert wake_ups.queues == ["cpu"]
        job = client.get(f"/v1/jobs/{job_id}").json()
        assert (job["kind"], job["state"]) == ("predict", "queued")
        assert job["dataset_id"] == str(audit.dataset_id)
        assert job["options"] == {"job_id": str(audit.id), "files": ["a.png", "b.png"], "top_k": 3}
        folder = context.folder.root / "jobs" / job_id / "inputs"
        assert [(folder / name).read_bytes() for name in "01"] == [b"one", b"two"]
        assert list(context.folder.incoming.glob("*.part")) == []

    def test_the_answer_is_there_later(
        self,
        client: TestClient,
        stranger: TestClient,
        context: AppContext,
        tenant: Tenant,
        path: str,
    ) -> None:
        url = client.post(path, files=IMAGES, params=NOW).json()["url"]
        reply = client.get(url)
        assert (reply.status_code, reply.json()["code"]) == (409, "not_finished")
        content = answer(context, tenant, url.split("/")[3])
        assert client.get(url).json() == content
        assert stranger.get(url).status_code == 404

    def test_a_repetition_gets_the_answer_of_the_first(
        self, client: TestClient, context: AppContext, tenant: Tenant, path: str
    ) -> None:
        headers = {"Idempotency-Key": "again"}
        first = client.post(path, files=IMAGES, params=NOW, headers=headers).json()["job_id"]
        again = client.post(path, files=IMAGES, params=NOW, headers=headers)
        assert again.json()["job_id"] == first
        content = answer(context, tenant, first)
        reply = client.post(path, files=IMAGES, headers=headers)
        assert (reply.status_code, reply.json()) == (200, content)
        assert len(list((context.folder.root / "jobs").iterdir())) == 1
        for files, params in ((IMAGES[:1], {}), (IMAGES, {"top_k": 2})):
            reply = client.post(path, files=files, params=params, headers=headers)
            assert (reply.status_code, reply.json()["code"]) == (422, "idempotency_mismatch")

    @on_sqlite
    def test_a_job_that_fails_is_no_answer(
        self, client: TestClient, context: AppContext, path: str
    ) -> None:
        headers = {"Idempotency-Key": "once"}
        job_id = client.post(path, files=IMAGES, params=NOW, headers=headers).json()["job_id"]
        with context.database.unit_of_work() as session:
            (job,) = (job for job in session.query(Job) if str(job.id) == job_id)
            job.state, job.error_code, job.error_detail = JobState.FAILED, "oom", "too little"
        reply = client.post(path, files=IMAGES, headers=headers)
        assert (reply.status_code, reply.json()["code"]) == (500, "prediction_failed")
        assert reply.json()["error"] == {"code": "oom", "detail": "too little"}
        assert reply.json()["job_id"] == job_id


class TestRefusals:
    @on_sqlite
    def test_a_foreign_model_is_unknown(self, stranger: TestClient, path: str) -> None:
        reply = stranger.post(path, files=IMAGES)
        assert (reply.status_code, reply.json()["code"]) == (404, "not_found")

    @on_sqlite
    @pytest.mark.parametrize(
        ("kind", "state", "status", "code"),
        [
            (JobKind.AUDIT, JobState.RUNNING, 409, "not_finished"),
            (JobKind.AUDIT, JobState.FAILED, 409, "not_finished"),
            (JobKind.SCORE, JobState.SUCCEEDED, 404, "no_model"),
            (JobKind.INGEST, JobState.SUCCEEDED, 409, "no_findings"),
            (JobKind.PREDICT, JobState.SUCCEEDED, 409, "no_findings"),
        ],
    )
    def test_names_a_job_without_a_model(
        self,
        client: TestClient,
        context: AppContext,
        dataset: Dataset,
        kind: JobKind,
        state: JobState,
        status: int,
        code: str,
    ) -> None:
        with context.database.unit_of_work() as session:
            job = make_job(session, dataset, kind=kind, state=state, queue=Queue.CPU)
        reply = client.post(f"/v1/jobs/{job.id}/predict", files=IMAGES)
        assert (reply.status_code, reply.json()["code"]) == (status, code)

    @on_sqlite
    @pytest.mark.parametrize(
        ("files", "params", "status", "code"),
        [
            ([("image", ("a.png", b"x"))], {}, 422, "validation_error"),
            ([("file", ("a.png", b"x"))], {"top_k": 0}, 422, "validation_error"),
            ([("file", ("a.png", b"x"))], {"wait": 31}, 422, "validation_error"),
            ([("file", (f"{n}.png", b"x")) for n in range(33)], {}, 422, "too_many_images"),
            ([("file", ("a.png", b"x" * (64 * 1024**2)))], {}, 413, "payload_too_large"),
        ],
    )
    def test_an_unacceptable_form_leaves_nothing(
        self,
        client: TestClient,
        context: AppContext,
        path: str,
        files: list[Any],
        params: dict[str, Any],
        status: int,
        code: str,
    ) -> None:
        reply = client.post(path, files=files, params=params)
        assert (reply.status_code, reply.json()["code"]) == (status, code)
        assert not list(context.folder.root.glob("incoming/*"))
        assert not list(context.folder.root.glob("jobs/*"))
        with context.database.read() as session:
            assert session.query(Job).count() == 1

    @on_sqlite
    def test_a_body_that_is_no_form_or_cut_short(self, client: TestClient, path: str) -> None:
        reply = client.post(path, json={})
        assert (reply.status_code, reply.json()["code"]) == (415, "unsupported_media_type")
        form = {"Content-Type": "multipart/form-data; boundary=b"}
        part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\nPNG'
        reply = client.post(path, content=part, headers=form)
        assert (reply.status_code, reply.json()["code"]) == (400, "truncated_upload")
        reply = client.post(path, content=b"--b--\r\n", headers=form)
        assert (reply.status_code, reply.json()["code"]) == (422, "missing_file")

    @on_sqlite
    def test_the_answer_of_another_kind_of_job(self, client: TestClient, audit: Job) -> None:
        reply = client.get(f"/v1/jobs/{audit.id}/predictions")
        assert (reply.status_code, reply.json()["code"]) == (404, "no_predictions")

    @on_sqlite
    def test_is_described(self, app: FastAPI) -> None:
        operation = app.openapi()["paths"]["/v1/jobs/{job_id}/predict"]["post"]
        assert {"200", "202", "404", "409", "413", "422"} <= set(operation["responses"])
