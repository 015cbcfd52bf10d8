import threading
from itertools import islice
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import func, select
from starlette.testclient import TestClient

from app.core.ids import format_sample_id
from app.core.settings import Settings
from app.core.storage import BlobStore
from app.datasets import removal
from app.datasets.repository import BlobRepository
from app.http.context import AppContext
from app.models import (
    Artifact,
    Blob,
    Dataset,
    DatasetState,
    Finding,
    Job,
    JobEvent,
    JobState,
    RejectedFile,
    Sample,
    Tenant,
)
from tests.support.factories import (
    make_artifact,
    make_rejected,
    make_sample,
    make_samples,
    publish_findings,
)
from tests.support.rows import make_dataset, make_job
from worker.runtime.sweeper import finish_removals

IMAGE, SHARED, THUMB, MODEL = b"image", b"in two sets", b"thumb", b"model"


@pytest.fixture
def blobs(context: AppContext, tenant: Tenant) -> BlobStore:
    return BlobStore(context.folder.blobs(tenant.id))


@pytest.fixture
def audited(context: AppContext, tenant: Tenant, blobs: BlobStore) -> Dataset:
    """A data set with all that can hang on one."""
    image, shared, thumb = (blobs.put(content) for content in (IMAGE, SHARED, THUMB))
    model = blobs.put(MODEL)
    with context.database.unit_of_work() as session:
        session.add_all(
            Blob(tenant_id=tenant.id, sha256=sha256, num_bytes=1)
            for sha256 in (image, shared, thumb, model)
        )
        dataset = make_dataset(session, tenant.id)
        samples = make_samples(session, dataset, 2)
        samples[0].sha256, samples[0].thumb_sha256, samples[1].sha256 = image, thumb, shared
        make_rejected(session, dataset, 1)
        job = make_job(session, dataset)
        publish_findings(session, job, samples)
        make_artifact(session, job, "safetensors", MODEL)
    for path in (
        context.folder.upload(dataset.id),
        context.folder.image_cache(dataset.id, 32),
        context.folder.job(job.id) / "attempt-1" / "checkpoint.pt",
    ):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
    return dataset


def add_sharing_dataset(context: AppContext, tenant: Tenant, blobs: BlobStore) -> Dataset:
    with context.database.unit_of_work() as session:
        dataset = make_dataset(session, tenant.id)
        make_sample(session, dataset, 0, sha256=blobs.put(SHARED))
    return dataset


def num_rows(context: AppContext) -> dict[str, int]:
    tables = (Dataset, Sample, RejectedFile, Job, JobEvent, Finding, Artifact)
    with context.database.read() as session:
        return {
            table.__tablename__: session.scalar(select(func.count()).select_from(table)) or 0
            for table in tables
        }


def stored(blobs: BlobStore) -> set[bytes]:
    return {path.read_bytes() for path in blobs.root.rglob("*") if path.is_file()}


def files(context: AppContext, *names: str) -> list[Path]:
    return [
        path for name in names for path in (context.folder.root / name).rglob("*") if path.is_file()
    ]


class TestDeleteDataset:
    def test_leaves_nothing_behind(
        self, client: TestClient, context: AppContext, audited: Dataset, blobs: BlobStore
    ) -> None:
        reply = client.delete(f"/v1/datasets/{audited.id}")
        assert (reply.status_code, reply.content) == (204, b"")
        assert set(num_rows(context).values()) == {0}
        assert stored(blobs) == set()
        assert files(context, "uploads", "cache", "jobs") == []
        assert client.delete(f"/v1/datasets/{audited.id}").status_code == 404

    def test_keeps_what_another_data_set_needs(
        self,
        client: TestClient,
        context: AppContext,
        tenant: Tenant,
        audited: Dataset,
        blobs: BlobStore,
    ) -> None:
        other = add_sharing_dataset(context, tenant, blobs)
        assert client.delete(f"/v1/datasets/{audited.id}").status_code == 204
        assert stored(blobs) == {SHARED}
        assert client.get(f"/v1/datasets/{other.id}/samples").json()["items"]

    @pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING])
    def test_is_refused_while_a_job_needs_it(
        self,
        client: TestClient,
        context: AppContext,
        audited: Dataset,
        blobs: BlobStore,
        state: JobState,
    ) -> None:
        with context.database.unit_of_work() as session:
            make_job(session, audited, state=state)
        before = num_rows(context)
        reply = client.delete(f"/v1/datasets/{audited.id}")
        assert (reply.status_code, reply.json()["code"]) == (409, "dataset_busy")
        assert num_rows(context) == before
        assert stored(blobs) == {IMAGE, SHARED, THUMB, MODEL}

    def test_leaves_blobs_for_later_while_another_job_may_be_about_to_use_them(
        self,
        client: TestClient,
        context: AppContext,
        tenant: Tenant,
        audited: Dataset,
        blobs: BlobStore,
    ) -> None:
        other = add_sharing_dataset(context, tenant, blobs)
        with context.database.unit_of_work() as session:
            job = make_job(session, other, state=JobState.RUNNING)
        assert client.delete(f"/v1/datasets/{audited.id}").status_code == 204
        assert stored(blobs) == {IMAGE, SHARED, THUMB, MODEL}
        with context.database.unit_of_work() as session:
            session.get_one(Job, job.id).state = JobState.SUCCEEDED
        assert client.delete(f"/v1/datasets/{other.id}").status_code == 204
        assert stored(blobs) == set()

    def test_of_another_tenant_is_unknown(
        self, stranger: TestClient, context: AppContext, audited: Dataset, blobs: BlobStore
    ) -> None:
        assert stranger.delete(f"/v1/datasets/{audited.id}").status_code == 404
        assert num_rows(context)["datasets"] == 1
        assert len(stored(blobs)) == 4


class TestDeleteLargeDataset:
    @pytest.fixture
    def left(
        self, client: TestClient, audited: Dataset, monkeypatch: pytest.MonkeyPatch
    ) -> Dataset:
        """Deleted, but so large that most of it is still there."""
        monkeypatch.setattr(removal, "_SECONDS_IN_A_REQUEST", -1.0)
        monkeypatch.setattr(removal, "_BATCH", 1)
        assert client.delete(f"/v1/datasets/{audited.id}").status_code == 204
        return audited

    def test_is_out_of_sight_at_once(
        self, client: TestClient, context: AppContext, left: Dataset
    ) -> None:
        assert num_rows(context)["samples"] == 2
        with context.database.read() as session:
            sample = session.scalars(select(Sample).limit(1)).one()
            job = session.scalars(select(Job)).one()
        for path in (
            f"datasets/{left.id}", f"datasets/{left.id}/samples", f"jobs/{job.id}",
            f"jobs/{job.id}/samples", f"samples/{format_sample_id(sample.id)}",
        ):  # fmt: skip
            assert client.get(f"/v1/{path}").status_code == 404, path
        for path in ("datasets", "jobs"):
            assert client.get(f"/v1/{path}").json()["items"] == [], path
        quotas = client.get("/v1/usage").json()["quotas"]
        assert [row["used"] for row in quotas if row["name"] == "samples"] == [0]
        assert client.delete(f"/v1/datasets/{left.id}").status_code == 404
        assert client.post(f"/v1/jobs/{job.id}/retry").status_code == 404
        assert client.post("/v1/jobs", json={"dataset_id": str(left.id)}).status_code == 404

    def test_is_removed_by_the_sweeper(
        self, context: AppContext, settings: Settings, left: Dataset, blobs: BlobStore
    ) -> None:
        finish_removals(context.database, settings, threading.Event())
        assert set(num_rows(context).values()) == {0}, left.id
        assert stored(blobs) == set()
        assert files(context, "uploads", "cache", "jobs") == []

    @pytest.mark.parametrize("num_steps", range(1, 6))
    def test_can_be_begun_again_wherever_it_ended(
        self, context: AppContext, tenant: Tenant, left: Dataset, blobs: BlobStore, num_steps: int
    ) -> None:
        rest = removal.DatasetRemoval(context.database, context.folder, blobs, tenant.id)
        for _ in islice(rest.steps(left.id), num_steps):
            assert num_rows(context)["datasets"] == 1
        list(rest.steps(left.id))
        assert set(num_rows(context).values()) == {0}
        assert stored(blobs) == set()

    def test_of_one_data_set_that_fails_keeps_no_other_waiting(
        self, context: AppContext, tenant: Tenant
    ) -> None:
        with context.database.unit_of_work() as session:
            hidden = [
                make_dataset(session, tenant.id, state=DatasetState.DELETING) for _ in range(3)
            ]
        stuck = context.folder.upload(hidden[0].id)
        stuck.mkdir(parents=True)  # cannot be unlinked like a file
        finish_removals(context.database, context.settings, threading.Event())
        assert num_rows(context)["datasets"] == 1
        stuck.rmdir()
        finish_removals(context.database, context.settings, threading.Event())
        assert num_rows(context)["datasets"] == 0


class TestBlobRepository:
    def test_walks_names_in_batches(self, context: AppContext, tenant: Tenant) -> None:
        with context.database.unit_of_work() as session:
            session.add_all(
                Blob(tenant_id=tenant.id, sha256=digit * 64, num_bytes=1) for digit in "cab"
            )
        with context.database.read() as session:
            blobs = BlobRepository(session, tenant.id)
            assert blobs.names(after="", limit=2) == ["a" * 64, "b" * 64]
            assert blobs.names(after="b" * 64, limit=2) == ["c" * 64]
            assert BlobRepository(session, uuid4()).names(after="", limit=2) == []
