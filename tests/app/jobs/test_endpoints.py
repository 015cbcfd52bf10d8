import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from starlette.testclient import TestClient

from app.core.clock import utc_now
from app.http.context import AppContext
from app.jobs.lease_repository import AttemptRepository, Fence, LeaseRepository
from app.models import AttemptOutcome, Dataset, DatasetState, Job, JobKind, JobState, Queue, Tenant
from tests.app.conftest import NotedWakeUps
from tests.app.walking import walk
from tests.support.rows import make_dataset, make_job

JSON = {"Content-Type": "application/json"}
FINAL = [JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED]


@pytest.fixture
def dataset(context: AppContext, tenant: Tenant) -> Dataset:
    with context.database.unit_of_work() as session:
        return make_dataset(session, tenant.id)


def add_job(context: AppContext, dataset: Dataset, **values: Any) -> Job:
    with context.database.unit_of_work() as session:
        return make_job(session, dataset, **values)


def reload(context: AppContext, job: Job) -> Job:
    with context.database.read() as session:
        return session.get_one(Job, job.id)


class TestCreateJob:
    def test_queues_an_audit_for_the_gpu(
        self, client: TestClient, context: AppContext, dataset: Dataset, wake_ups: NotedWakeUps
    ) -> None:
        body = {"dataset_id": str(dataset.id), "method": "ce", "epochs": 2}
        reply = client.post("/v1/jobs", json=body)
        assert reply.status_code == 202
        assert list(reply.json()) == ["job_id"]
        job = client.get(reply.headers["location"]).json()
        assert (job["id"], job["kind"]) == (reply.json()["job_id"], "audit")
        assert job["options"] == {
            "preset": "auto", "method": "ce", "epochs": 2, "seed": 0, "signals": None,
        }  # fmt: skip
        with context.database.read() as session:
            assert session.get_one(Job, UUID(job["id"])).queue == Queue.GPU
        assert wake_ups.queues == ["gpu"]

    @pytest.mark.parametrize("state", [DatasetState.PENDING, DatasetState.FAILED])
    def test_waits_for_ingest(
        self,
        client: TestClient,
        context: AppContext,
        tenant: Tenant,
        wake_ups: NotedWakeUps,
        state: DatasetState,
    ) -> None:
        with context.database.unit_of_work() as session:
            dataset = make_dataset(session, tenant.id, state=state)
        reply = client.post("/v1/jobs", json={"dataset_id": str(dataset.id)})
        assert (reply.status_code, reply.json()["code"]) == (409, "dataset_not_ready")
        assert walk(client, "/v1/jobs") == []
        assert wake_ups.queues == []

    def test_needs_a_known_data_set(self, stranger: TestClient, dataset: Dataset) -> None:
        for dataset_id in (str(dataset.id), str(uuid4()), "x", "\x00", "\ud800"):
            body = json.dumps({"dataset_id": dataset_id})
            reply = stranger.post("/v1/jobs", content=body, headers=JSON)
            assert (reply.status_code, reply.json()["code"]) == (404, "not_found")

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({"method": "no-such-method"}, "unknown_method"),
            ({"preset": "hasty"}, "unknown_preset"),
            ({"epochs": 0}, "invalid_epochs"),
            ({"epochs": "3"}, "invalid_epochs"),
            ({"seed": 2**31}, "invalid_seed"),
            ({"signals": ["prediction", "moods"]}, "unknown_signal"),
            ({"signals": "prediction"}, "unknown_signal"),
            ({"signals": [7]}, "unknown_signal"),
            ({"signals": []}, "no_usable_signal"),
            ({"signals": ["margin", "posterior"]}, "no_usable_signal"),
            ({"epoch": 3}, "validation_error"),
        ],
    )
    def test_refuses_options_it_does_not_know(
        self, client: TestClient, dataset: Dataset, options: dict[str, Any], expected: str
    ) -> None:
        reply = client.post("/v1/jobs", json={"dataset_id": str(dataset.id), **options})
        assert (reply.status_code, reply.json()["code"]) == (422, expected)


class TestListJobs:
    def test_pages_each_once_newest_first(
        self, client: TestClient, context: AppContext, dataset: Dataset
    ) -> None:
        # Two share a moment: the id breaks the tie.
        now = utc_now()
        made = {str(add_job(context, dataset, created_at=now).id) for _ in range(2)}
        made |= {str(add_job(context, dataset).id) for _ in range(3)}
        for limit in (1, 2, 5, 6):
            items = walk(client, "/v1/jobs", limit=limit)
            assert len(items) == 5
            assert {item["id"] for item in items} == made
            created = [item["created_at"] for item in items]
            assert created == sorted(created, reverse=True)

    def test_filters(self, client: TestClient, context: AppContext, dataset: Dataset) -> None:
        failed = add_job(context, dataset, state=JobState.FAILED)
        add_job(context, dataset)
        assert [job["id"] for job in walk(client, "/v1/jobs", state="failed")] == [str(failed.id)]
        assert len(walk(client, "/v1/jobs", dataset_id=str(dataset.id), limit=1)) == 2
        for unknown in (str(uuid4()), "x"):
            assert walk(client, "/v1/jobs", dataset_id=unknown) == []

    def test_shows_nothing_to_others(
        self, stranger: TestClient, context: AppContext, dataset: Dataset
    ) -> None:
        add_job(context, dataset)
        assert walk(stranger, "/v1/jobs") == []


class TestGetJob:
    def test_shows_progress_and_error(
        self, client: TestClient, context: AppContext, dataset: Dataset
    ) -> None:
        job = add_job(
            context,
            dataset,
            state=JobState.FAILED,
            stage="train",
            attempt=3,
            lost_attempts=2,
            fraction=0.5,
            epoch=5,
            epochs=10,
            eta_seconds=60.0,
            images_per_second=100.0,
            metrics={"train_loss": 0.25},
            error_code="diverged",
            error_detail="The loss is not finite.",
        )
        shown = client.get(f"/v1/jobs/{job.id}").json()
        times = ("created_at", "queued_at", "started_at", "finished_at")
        assert {key: value for key, value in shown.items() if key not in times} == {
            "id": str(job.id),
            "kind": "audit",
            "dataset_id": str(dataset.id),
            "state": "failed",
            "stage": "train",
            "attempt": 3,
            "lost_attempts": 2,
            "cancel_requested": False,
            "queue_position": None,
            "options": {"method": "m-dyr-h", "epochs": 1, "seed": 0},
            "progress": {
                "fraction": 0.5,
                "epoch": 5,
                "epochs": 10,
                "eta_seconds": 60.0,
                "images_per_second": 100.0,
                "metrics": {"train_loss": 0.25},
            },
            "error": {"code": "diverged", "detail": "The loss is not finite."},
        }
        assert set(times) < set(shown)
        assert client.get(f"/v1/jobs/{add_job(context, dataset).id}").json()["error"] is None

    def test_of_another_tenant_is_unknown(
        self, stranger: TestClient, context: AppContext, dataset: Dataset
    ) -> None:
        job = add_job(context, dataset, state=JobState.SUCCEEDED)
        for end in ("", "/events", "/samples", "/artifacts", "/report", "/model"):
            reply = stranger.get(f"/v1/jobs/{job.id}{end}")
            assert (reply.status_code, reply.json()["code"]) == (404, "not_found"), end
        for end in ("cancel", "retry"):
            assert stranger.post(f"/v1/jobs/{job.id}/{end}").status_code == 404
        assert reload(context, job).state == JobState.SUCCEEDED


class TestCancel:
    def test_ends_a_waiting_job_at_once(
        self, client: TestClient, context: AppContext, dataset: Dataset
    ) -> None:
        job = add_job(context, dataset, handed_over=True)
        reply = client.post(f"/v1/jobs/{job.id}/cancel")
        assert (reply.status_code, reply.json()["state"]) == (202, "cancelled")
        ended = reload(context, job)
        assert ended.state == JobState.CANCELLED
        assert ended.finished_at is not None
        assert not ended.handed_over

    def test_gives_up_a_data_set_that_waited_to_be_taken_in(
        self, client: TestClient, context: AppContext, tenant: Tenant
    ) -> None:
        with context.database.unit_of_work() as session:
            dataset = make_dataset(session, tenant.id, state=DatasetState.PENDING)
        client.post(f"/v1/jobs/{add_job(context, dataset).id}/cancel")
        assert client.get(f"/v1/datasets/{dataset.id}").json()["state"] == "failed"

    def test_asks_a_running_job_to_end(
        self, client: TestClient, context: AppContext, dataset: Dataset
    ) -> None:
        job = add_job(context, dataset, state=JobState.RUNNING, owner="worker")
        for _ in range(2):
            reply = client.post(f"/v1/jobs/{job.id}/cancel")
            assert reply.status_code == 202
            assert (reply.json()["state"], reply.json()["cancel_requested"]) == ("running", True)
        assert reload(context, job).owner == "worker"

    @pytest.mark.parametrize("state", FINAL)
    def test_comes_too_late_for_a_finished_job(
        self, client: TestClient, context: AppContext, dataset: Dataset, state: JobState
    ) -> None:
        job = add_job(context, dataset, state=state)
        reply = client.post(f"/v1/jobs/{job.id}/cancel")
        assert (reply.status_code, reply.json()["code"]) == (409, "job_finished")
        assert reload(context, job).state == state
        assert not reload(context, job).cancel_requested


class TestRetry:
    @pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELLED])
    def test_queues_the_job_afresh(
        self,
        client: TestClient,
        context: AppContext,
        dataset: Dataset,
        wake_ups: NotedWakeUps,
        state: JobState,
    ) -> None:
        job = add_job(
            context,
            dataset,
            state=state,
            attempt=3,
            lost_attempts=3,
            cancel_requested=True,
            error_code="worker_lost",
            error_detail="It was lost.",
            checkpoint="jobs/x/checkpoint",
            finished_at=utc_now(),
        )
        reply = client.post(f"/v1/jobs/{job.id}/retry")
        assert reply.status_code == 202
        assert reply.json()["state"] == "queued"
        assert reply.json()["error"] is None
        again = reload(context, job)
        assert (again.attempt, again.lost_attempts) == (3, 0)
        assert not again.cancel_requested
        assert again.checkpoint == "jobs/x/checkpoint"
        assert again.finished_at is None
        assert again.queue == Queue.GPU
        assert wake_ups.queues == ["gpu"]

    def test_takes_a_failed_data_set_in_again(
        self, client: TestClient, context: AppContext, tenant: Tenant, wake_ups: NotedWakeUps
    ) -> None:
        with context.database.unit_of_work() as session:
            dataset = make_dataset(session, tenant.id, state=DatasetState.FAILED)
            job = make_job(session, dataset, state=JobState.FAILED, kind=JobKind.INGEST)
        assert client.post(f"/v1/jobs/{job.id}/retry").status_code == 202
        assert client.get(f"/v1/datasets/{dataset.id}").json()["state"] == "pending"
        assert reload(context, job).queue == Queue.CPU
        assert wake_ups.queues == ["cpu"]

    @pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED])
    def test_is_only_for_failed_and_cancelled_jobs(
        self,
        client: TestClient,
        context: AppContext,
        tenant: Tenant,
        wake_ups: NotedWakeUps,
        state: JobState,
    ) -> None:
        with context.database.unit_of_work() as session:
            dataset = make_dataset(session, tenant.id, state=DatasetState.FAILED)
            job = make_job(session, dataset, state=state)
        reply = client.post(f"/v1/jobs/{job.id}/retry")
        assert (reply.status_code, reply.json()["code"]) == (409, "job_not_retryable")
        assert reload(context, job).state == state
        assert client.get(f"/v1/datasets/{dataset.id}").json()["state"] == "failed"
        assert wake_ups.queues == []


class TestAttempts:
    def test_are_listed_oldest_first_with_the_end_of_their_logs(
        self, client: TestClient, context: AppContext, dataset: Dataset
    ) -> None:
        job = add_job(context, dataset)
        for outcome in (AttemptOutcome.LOST, AttemptOutcome.GIVEN_BACK):
            with context.database.unit_of_work() as session:
                leases = LeaseRepository(session)
                claimed = leases.claim_next(Queue.GPU, owner=outcome.value, lease_seconds=60)
                assert claimed is not None
                fence = Fence(job.id, claimed.attempt, outcome.value)
                leases.start_stage(fence, "train")
                AttemptRepository(session).keep_log(job.id, fence.owner, "last\0 words")
                leases.requeue(fence, queue=Queue.GPU, outcome=outcome)
        rows = client.get(f"/v1/jobs/{job.id}/attempts").json()["items"]
        assert [(row["attempt"], row["outcome"]) for row in rows] == [
            (1, "lost"),
            (2, "given_back"),
        ]
        assert {(row["stage"], row["log"]) for row in rows} == {("train", "last words")}
        assert all(row["seconds"] >= 0 for row in rows)
        assert client.get(f"/v1/jobs/{job.id}").json()["lost_attempts"] == 1

    def test_of_another_tenant_are_unknown(
        self, stranger: TestClient, context: AppContext, dataset: Dataset
    ) -> None:
        job = add_job(context, dataset)
        assert stranger.get(f"/v1/jobs/{job.id}/attempts").status_code == 404
