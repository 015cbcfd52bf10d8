import threading
import time
from uuid import UUID

import pytest

from app.core.db import Database
from app.jobs.lease_repository import Fence, FencedError, LeaseRepository
from app.models import AttemptOutcome, Dataset, DatasetState, Job, JobState, Queue, Tenant
from tests.support.rows import make_dataset, make_job, make_tenant


def _claim(
    database: Database,
    owner: str = "a",
    *,
    seconds: float = 60,
    queue: Queue = Queue.GPU,
    max_running: int | None = None,
) -> Fence | None:
    with database.unit_of_work() as session:
        job = LeaseRepository(session).claim_next(
            queue, owner=owner, lease_seconds=seconds, max_running=max_running
        )
        return None if job is None else Fence(job.id, job.attempt, owner)


def _queue_job(database: Database, **values: object) -> UUID:
    with database.unit_of_work() as session:
        dataset = make_dataset(session, make_tenant(session).id)
        return make_job(session, dataset, **values).id


def _must_claim(database: Database, owner: str = "a", *, seconds: float = 60) -> Fence:
    fence = _claim(database, owner, seconds=seconds)
    assert fence is not None
    return fence


def _job(database: Database, job_id: UUID) -> Job:
    with database.read() as session:
        return session.get_one(Job, job_id)


class TestClaim:
    def test_takes_the_job_once(self, database: Database) -> None:
        job_id = _queue_job(database)
        assert _claim(database) == Fence(job_id, 1, "a")
        assert _claim(database, "b") is None
        assert _job(database, job_id).state is JobState.RUNNING

    def test_takes_only_jobs_of_its_queue(self, database: Database) -> None:
        _queue_job(database)
        assert _claim(database, queue=Queue.CPU) is None

    def test_serves_first_whoever_has_least_running(self, database: Database) -> None:
        with database.unit_of_work() as session:
            busy = make_dataset(session, make_tenant(session, "busy").id)
            make_job(session, busy, state=JobState.RUNNING, owner="x", lease_until=9e9)
            make_job(session, busy)
            patient = make_dataset(session, make_tenant(session, "patient").id)
            expected = make_job(session, patient).id
        assert _must_claim(database).job_id == expected

    def test_passes_over_whoever_runs_as_many_as_may_be(self, database: Database) -> None:
        with database.unit_of_work() as session:
            tenant = make_tenant(session, "busy")
            dataset = make_dataset(session, tenant.id)
            make_job(session, dataset, state=JobState.RUNNING, owner="x", lease_until=9e9)
            waiting = make_job(session, dataset).id
        assert _claim(database, max_running=1) is None
        with database.unit_of_work() as session:
            session.get_one(Tenant, tenant.id).max_running_jobs = 2
        fence = _claim(database, max_running=1)
        assert fence is not None
        assert fence.job_id == waiting

    def test_a_crowd_claims_each_job_once(self, database: Database) -> None:
        with database.unit_of_work() as session:
            dataset = make_dataset(session, make_tenant(session).id)
            job_ids = {make_job(session, dataset).id for _ in range(6)}
        claimed: list[UUID] = []

        def work(owner: str) -> None:
            while (fence := _claim(database, owner)) is not None:
                claimed.append(fence.job_id)

        threads = [threading.Thread(target=work, args=(f"w{i}",)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(claimed) == sorted(job_ids)

    def test_goes_on_with_the_same_attempt_after_a_hand_over(self, database: Database) -> None:
        job_id = _queue_job(database)
        first = _must_claim(database, "ingest")
        with database.unit_of_work() as session:
            LeaseRepository(session).requeue(
                first, queue=Queue.GPU, outcome=AttemptOutcome.HANDED_OVER
            )
        assert _must_claim(database, "training") == Fence(job_id, 1, "training")


class TestFence:
    def test_lets_its_owner_write(self, database: Database) -> None:
        job_id = _queue_job(database)
        fence = _must_claim(database)
        with database.unit_of_work() as session:
            LeaseRepository(session).write(fence, fraction=0.5)
        assert _job(database, job_id).fraction == 0.5

    def test_refuses_the_old_owner_after_a_new_claim(self, database: Database) -> None:
        job_id = _queue_job(database)
        old = _must_claim(database, "same name")
        with database.unit_of_work() as session:
            LeaseRepository(session).requeue(
                old, queue=Queue.GPU, outcome=AttemptOutcome.GIVEN_BACK
            )
        new = _must_claim(database, "same name")
        assert new.attempt == 2
        with pytest.raises(FencedError), database.unit_of_work() as session:
            LeaseRepository(session).finish(old, JobState.SUCCEEDED)
        assert _job(database, job_id).state is JobState.RUNNING

    def test_refuses_the_ingest_once_the_training_has_taken_over(self, database: Database) -> None:
        _queue_job(database)
        ingest = _must_claim(database, "ingest")
        with database.unit_of_work() as session:
            LeaseRepository(session).requeue(
                ingest, queue=Queue.GPU, outcome=AttemptOutcome.HANDED_OVER
            )
        assert _must_claim(database, "training").attempt == ingest.attempt
        with pytest.raises(FencedError), database.unit_of_work() as session:
            LeaseRepository(session).write(ingest, fraction=0.9)


class TestLease:
    def test_expires_by_the_clock_of_the_database(self, database: Database) -> None:
        job_id = _queue_job(database)
        _must_claim(database, seconds=0.05)
        time.sleep(0.2)
        with database.unit_of_work() as session:
            assert [job.id for job in LeaseRepository(session).expired()] == [job_id]

    def test_lives_on_when_renewed(self, database: Database) -> None:
        _queue_job(database)
        fence = _must_claim(database, seconds=0.05)
        with database.unit_of_work() as session:
            assert LeaseRepository(session).renew(fence, lease_seconds=60) is False
        time.sleep(0.2)
        with database.unit_of_work() as session:
            assert LeaseRepository(session).expired() == []

    def test_renewal_tells_of_a_wanted_cancel(self, database: Database) -> None:
        _queue_job(database, cancel_requested=True)
        fence = _must_claim(database)
        with database.unit_of_work() as session:
            assert LeaseRepository(session).renew(fence, lease_seconds=60) is True


class TestFinish:
    @pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELLED])
    def test_gives_up_a_data_set_that_is_still_pending(
        self, database: Database, state: JobState
    ) -> None:
        with database.unit_of_work() as session:
            tenant = make_tenant(session)
            dataset = make_dataset(session, tenant.id, state=DatasetState.PENDING)
            make_job(session, dataset)
        fence = _must_claim(database)
        with database.unit_of_work() as session:
            LeaseRepository(session).finish(fence, state)
        with database.read() as session:
            assert session.get_one(Dataset, dataset.id).state is DatasetState.FAILED


class TestStages:
    @pytest.mark.parametrize("stage", ["train", "publish"])
    def test_a_new_one_has_no_speed_and_no_end_yet(self, database: Database, stage: str) -> None:
        job_id = _queue_job(database)
        fence = _must_claim(database)
        with database.unit_of_work() as session:
            leases = LeaseRepository(session)
            leases.write(fence, eta_seconds=0.0, images_per_second=9.0, epoch=3, fraction=0.9)
            begin = leases.start_stage if stage == "train" else leases.enter
            begin(fence, stage)
        job = _job(database, job_id)
        assert (job.stage, job.epoch, job.fraction) == (stage, 3, 0.9)
        assert (job.eta_seconds, job.images_per_second) == (None, None)
