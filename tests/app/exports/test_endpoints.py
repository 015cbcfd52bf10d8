import hashlib
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.core.storage import BlobStore
from app.http.context import AppContext
from app.models import Dataset, DatasetState, Job, JobKind, JobState, Queue, ResultVersion, Tenant
from tests.app.conftest import NotedWakeUps
from tests.support.engines import on_sqlite
from tests.support.factories import make_artifact, make_samples, publish_findings
from tests.support.rows import make_dataset, make_job

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def dataset(context: AppContext, tenant: Tenant) -> Dataset:
    with context.database.unit_of_work() as session:
        dataset = make_dataset(session, tenant.id)
        make_samples(session, dataset, 2)
    return dataset


@pytest.fixture
def path(dataset: Dataset) -> str:
    return f"/v1/datasets/{dataset.id}/exports"


def audit(context: AppContext, dataset: Dataset) -> Job:
    with context.database.unit_of_work() as session:
        job = make_job(session, dataset)
        publish_findings(session, job, [])
    return job


def finish(context: AppContext, tenant: Tenant, export_id: str) -> None:
    """Do what the worker does at the end."""
    with context.database.unit_of_work() as session:
        (job,) = (job for job in session.query(Job) if str(job.id) == export_id)
        version = ResultVersion(tenant_id=tenant.id, job_id=job.id, attempt=1)
        session.add(version)
        session.flush()
        job.state, job.result_version = JobState.SUCCEEDED, version.id
        make_artifact(session, job, "export", CONTENT)
    BlobStore(context.folder.blobs(tenant.id)).put(CONTENT)


class TestCreateExport:
    @on_sqlite
    def test_queues_short_work(
        self, client: TestClient, path: str, dataset: Dataset, wake_ups: NotedWakeUps
    ) -> None:
        reply = client.post(path, json={"format": "csv"})
        assert reply.status_code == 202
        created = reply.json()
        assert reply.headers["location"] == f"/v1/exports/{created['export_id']}"
        assert wake_ups.queues == ["cpu"]
        job = client.get(f"/v1/jobs/{created['job_id']}").json()
        assert (job["kind"], job["dataset_id"]) == ("export", str(dataset.id))
        export = client.get(reply.headers["location"]).json()
        assert (export["state"], export["file"]) == ("queued", None)
        assert export["options"]["labels"] == "decisions"

    def test_takes_the_newest_audit_unless_told_which(
        self, client: TestClient, context: AppContext, dataset: Dataset, path: str
    ) -> None:
        first, second = audit(context, dataset), audit(context, dataset)
        for body, expected in (({}, second), ({"job_id": str(first.id)}, first)):
            export_id = client.post(path, json={"format": "jsonl", **body}).json()["export_id"]
            options = client.get(f"/v1/exports/{export_id}").json()["options"]
            assert options["job_id"] == str(expected.id)

    def test_of_suggestions_needs_an_audit(
        self, client: TestClient, context: AppContext, dataset: Dataset, path: str
    ) -> None:
        suggested = {"format": "parquet", "labels": "suggestions", "min_p": 0.9}
        for body in (suggested, {"format": "cleanlab"}):
            reply = client.post(path, json=body)
            assert (reply.status_code, reply.json()["code"]) == (409, "no_audit")
        audit(context, dataset)
        assert client.post(path, json=suggested).status_code == 202

    @on_sqlite
    def test_refuses_what_makes_no_sense(self, client: TestClient, path: str) -> None:
        bodies: list[dict[str, Any]] = [
            {},
            {"format": "xlsx"},
            {"format": "csv", "labels": "suggestions"},
            {"format": "csv", "min_p": 0.5},
            {"format": "csv", "labels": "suggestions", "min_p": 1.5},
            {"format": "csv", "excluded": "burn"},
            {"format": "csv", "split": "val"},
            {"format": "csv", "about": {"license": "a\x00b"}},
        ]
        for body in bodies:
            reply = client.post(path, json=body)
            assert (reply.status_code, reply.json()["code"]) == (422, "validation_error"), body

    @on_sqlite
    def test_of_scores_has_no_images(
        self, client: TestClient, context: AppContext, tenant: Tenant
    ) -> None:
        with context.database.unit_of_work() as session:
            scores = make_dataset(session, tenant.id, image_size=None)
        path = f"/v1/datasets/{scores.id}/exports"
        for name in ("imagefolder", "fiftyone", "label-studio"):
            reply = client.post(path, json={"format": name})
            assert (reply.status_code, reply.json()["code"]) == (409, "no_images")
        assert client.post(path, json={"format": "jsonl"}).status_code == 202

    @on_sqlite
    def test_of_a_data_set_that_is_not_there_or_not_ready(
        self, client: TestClient, stranger: TestClient, context: AppContext, tenant: Tenant,
        path: str,
    ) -> None:  # fmt: skip
        assert stranger.post(path, json={"format": "csv"}).status_code == 404
        with context.database.unit_of_work() as session:
            pending = make_dataset(session, tenant.id, state=DatasetState.PENDING)
        reply = client.post(f"/v1/datasets/{pending.id}/exports", json={"format": "csv"})
        assert (reply.status_code, reply.json()["code"]) == (409, "dataset_not_ready")


@on_sqlite
class TestDownload:
    @pytest.fixture
    def export(self, client: TestClient, path: str) -> str:
        created = client.post(path, json={"format": "csv"}).json()
        return f"/v1/exports/{created['export_id']}"

    def test_comes_whole_and_in_ranges(
        self, client: TestClient, context: AppContext, tenant: Tenant, export: str
    ) -> None:
        finish(context, tenant, export.rpartition("/")[2])
        shown = client.get(export).json()
        sha256 = hashlib.sha256(CONTENT).hexdigest()
        assert (shown["file"]["sha256"], shown["file"]["size"]) == (sha256, len(CONTENT))
        url = shown["file"]["url"]
        reply = client.get(url)
        assert (reply.content, reply.headers["etag"]) == (CONTENT, f'"{sha256}"')
        assert reply.headers["content-disposition"].startswith("attachment")
        part = client.get(url, headers={"Range": "bytes=100-199"})
        assert (part.status_code, part.content) == (206, CONTENT[100:200])
        cached = client.get(url, headers={"If-None-Match": reply.headers["etag"]})
        assert cached.status_code == 304
        (artifact,) = client.get(f"/v1/jobs/{shown['job_id']}/artifacts").json()["items"]
        assert artifact["url"] == url
        findings = client.get(f"/v1/jobs/{shown['job_id']}/samples")
        assert (findings.status_code, findings.json()["code"]) == (409, "no_findings")

    def test_before_the_end_is_refused(self, client: TestClient, export: str) -> None:
        reply = client.get(f"{export}/download")
        assert (reply.status_code, reply.json()["code"]) == (409, "not_finished")

    def test_of_others_or_of_other_jobs_is_unknown(
        self, client: TestClient, stranger: TestClient, context: AppContext, dataset: Dataset,
        export: str,
    ) -> None:  # fmt: skip
        with context.database.unit_of_work() as session:
            other = make_job(session, dataset, kind=JobKind.INGEST, queue=Queue.CPU)
        for path in (export, f"{export}/download"):
            assert stranger.get(path).status_code == 404
        assert client.get(f"/v1/exports/{other.id}").status_code == 404
        assert client.get("/v1/exports/nonsense").status_code == 404
