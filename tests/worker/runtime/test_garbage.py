"""What no row points to goes; what one points to stays, whatever else happens."""

from pathlib import Path
from uuid import uuid4

import pytest

from app.core.blobs import Blobs, open_blobs
from app.core.db import Database
from app.core.settings import Settings
from app.models import Blob, Job, JobState, Tenant
from tests.support.factories import make_artifact, make_sample, publish_findings
from tests.support.rows import make_dataset, make_job, make_tenant
from worker.runtime.sweeper import remove_garbage

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
LOST, IMAGE, THUMB, MODEL, FORGOTTEN = b"lost", b"image", b"thumb", b"model", b"forgotten"


@pytest.fixture(params=["files", "files elsewhere", "s3"])
def settings(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Settings:
    match request.param:
        case "files":
            return settings
        case "files elsewhere":
            values = {"store_url": f"file://{tmp_path / 'elsewhere'}"}
        case _:
            values = request.getfixturevalue("s3_settings")
    return settings.model_copy(update=values)


@pytest.fixture
def tenant(database: Database) -> Tenant:
    with database.unit_of_work() as session:
        return make_tenant(session)


@pytest.fixture
def blobs(settings: Settings, tenant: Tenant) -> Blobs:
    return open_blobs(settings, tenant.id)


@pytest.fixture
def job(database: Database, tenant: Tenant, blobs: Blobs, tmp_path: Path) -> Job:
    """A finished job whose blobs are in the store, with two that nothing points to."""
    names = {}
    for content in (LOST, IMAGE, THUMB, MODEL, FORGOTTEN):
        file = tmp_path / uuid4().hex
        file.write_bytes(content)
        names[content], _ = blobs.adopt(file)
    with database.unit_of_work() as session:
        session.add_all(
            Blob(tenant_id=tenant.id, sha256=names[content], num_bytes=1)
            for content in (IMAGE, THUMB, MODEL, FORGOTTEN)
        )
        dataset = make_dataset(session, tenant.id)
        sample = make_sample(session, dataset, 0, sha256=names[IMAGE], thumb_sha256=names[THUMB])
        job = make_job(session, dataset, state=JobState.SUCCEEDED)
        publish_findings(session, job, [sample])
        make_artifact(session, job, "safetensors", MODEL)
    return job


def stored(blobs: Blobs) -> set[bytes]:
    return {b"".join(blobs.read(sha256, 0, blobs.num_bytes(sha256))) for sha256 in blobs.names()}


class TestGarbage:
    @pytest.mark.usefixtures("job")
    def test_is_what_no_row_points_to(
        self, database: Database, settings: Settings, blobs: Blobs
    ) -> None:
        remove_garbage(database, settings)
        assert stored(blobs) == {IMAGE, THUMB, MODEL}
        with database.read() as session:
            assert session.query(Blob).count() == 3

    @pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING])
    def test_waits_for_jobs_that_may_have_put_it_there_just_now(
        self, database: Database, settings: Settings, blobs: Blobs, job: Job, state: JobState
    ) -> None:
        with database.unit_of_work() as session:
            session.get_one(Job, job.id).state = state
        remove_garbage(database, settings)
        assert stored(blobs) == {LOST, IMAGE, THUMB, MODEL, FORGOTTEN}

    @pytest.mark.usefixtures("job")
    def test_of_one_tenant_says_nothing_of_another(
        self, database: Database, settings: Settings, tmp_path: Path
    ) -> None:
        with database.unit_of_work() as session:
            other = make_tenant(session, "other")
            busy = make_job(session, make_dataset(session, other.id), state=JobState.RUNNING)
        theirs = open_blobs(settings, busy.tenant_id)
        file = tmp_path / "file"
        file.write_bytes(LOST)
        theirs.adopt(file)
        remove_garbage(database, settings)
        assert stored(theirs) == {LOST}
