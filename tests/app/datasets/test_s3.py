"""A service whose images and results lie in S3."""

from pathlib import Path
from uuid import uuid4

import httpx2
import pytest
from starlette.testclient import TestClient

from app.core.settings import Settings
from app.http.context import AppContext
from app.models import Blob, JobState, Tenant
from tests.support.factories import make_artifact, make_sample, publish_findings
from tests.support.rows import make_dataset, make_job

CONTENT = bytes(range(256)) * 4
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def settings(settings: Settings, s3_settings: dict[str, str]) -> Settings:
    return settings.model_copy(update=s3_settings | {"signed_url_seconds": 60})


def put(context: AppContext, tenant: Tenant, folder: Path, content: bytes) -> str:
    file = folder / uuid4().hex
    file.write_bytes(content)
    sha256, num_bytes = context.blobs(tenant.id).adopt(file)
    with context.database.unit_of_work() as session:
        session.merge(Blob(tenant_id=tenant.id, sha256=sha256, num_bytes=num_bytes))
    return sha256


@pytest.fixture
def image_url(context: AppContext, tenant: Tenant, client: TestClient, tmp_path: Path) -> str:
    sha256 = put(context, tenant, tmp_path, CONTENT)
    with context.database.unit_of_work() as session:
        dataset = make_dataset(session, tenant.id)
        make_sample(session, dataset, 0, sha256=sha256, path="cat/Bär 1.png")
    (sample,) = client.get(f"/v1/datasets/{dataset.id}/samples").json()["items"]
    return f"/v1/samples/{sample['sample_id']}/image?size=full"


class TestImage:
    def test_is_sent_whole(self, client: TestClient, image_url: str) -> None:
        reply = client.get(image_url)
        assert (reply.status_code, reply.content) == (200, CONTENT)
        assert reply.headers["content-type"] == "image/png"
        assert reply.headers["accept-ranges"] == "bytes"
        assert "B%C3%A4r%201.png" in reply.headers["content-disposition"]
        again = client.get(image_url, headers={"If-None-Match": reply.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")

    @pytest.mark.parametrize(
        ("wanted", "part", "told"),
        [
            ("bytes=0-9", CONTENT[:10], "bytes 0-9/1024"),
            ("bytes=1000-", CONTENT[1000:], "bytes 1000-1023/1024"),
            ("bytes=-24", CONTENT[1000:], "bytes 1000-1023/1024"),
            ("bytes=1000-5000", CONTENT[1000:], "bytes 1000-1023/1024"),
            ("bytes=-5000", CONTENT, "bytes 0-1023/1024"),
        ],
    )
    def test_is_sent_in_ranges(
        self, client: TestClient, image_url: str, wanted: str, part: bytes, told: str
    ) -> None:
        reply = client.get(image_url, headers={"Range": wanted})
        assert (reply.status_code, reply.content) == (206, part)
        assert reply.headers["content-range"] == told

    @pytest.mark.parametrize("wanted", ["bytes=0-1,5-6", "lines=1-2", "bytes=-", "bytes=x"])
    def test_is_sent_whole_for_what_is_no_single_range(
        self, client: TestClient, image_url: str, wanted: str
    ) -> None:
        reply = client.get(image_url, headers={"Range": wanted})
        assert (reply.status_code, reply.content) == (200, CONTENT)

    @pytest.mark.parametrize("wanted", ["bytes=1024-", "bytes=9-5", "bytes=-0"])
    def test_has_nothing_beyond_its_end(
        self, client: TestClient, image_url: str, wanted: str
    ) -> None:
        reply = client.get(image_url, headers={"Range": wanted})
        assert (reply.status_code, reply.headers["content-range"]) == (416, "bytes */1024")

    def test_of_another_version_is_sent_whole(self, client: TestClient, image_url: str) -> None:
        headers = {"Range": "bytes=0-9", "If-Range": '"another"'}
        assert client.get(image_url, headers=headers).status_code == 200


def test_a_model_is_downloaded_from_the_store(
    client: TestClient, context: AppContext, tenant: Tenant, tmp_path: Path
) -> None:
    put(context, tenant, tmp_path, b"weights")
    with context.database.unit_of_work() as session:
        dataset = make_dataset(session, tenant.id)
        job = make_job(session, dataset, state=JobState.SUCCEEDED)
        publish_findings(session, job, [make_sample(session, dataset, 0)])
        make_artifact(session, job, "safetensors", b"weights")
    reply = client.get(f"/v1/jobs/{job.id}/model", follow_redirects=False)
    assert reply.status_code == 307
    assert httpx2.get(reply.headers["location"]).content == b"weights"


def test_deleting_a_data_set_removes_only_what_no_other_needs(
    client: TestClient, context: AppContext, tenant: Tenant, tmp_path: Path
) -> None:
    blobs = context.blobs(tenant.id)
    own, shared = (put(context, tenant, tmp_path, content) for content in (b"own", b"shared"))
    with context.database.unit_of_work() as session:
        first, second = (make_dataset(session, tenant.id) for _ in range(2))
        make_sample(session, first, 0, sha256=own)
        make_sample(session, first, 1, sha256=shared)
        make_sample(session, second, 0, sha256=shared)
    assert client.delete(f"/v1/datasets/{first.id}").status_code == 204
    assert blobs.num_bytes(shared) == len(b"shared")
    with pytest.raises(FileNotFoundError):
        blobs.num_bytes(own)
