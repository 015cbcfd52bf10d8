"""One store, two makes: files, and a real S3 service of another make than our client."""

import hashlib
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import httpx2
import pytest

from app.core.blobs import Blobs, open_blobs
from app.core.errors import StoreUnavailableError
from app.core.settings import Settings
from app.core.storage import BlobStore

CONTENT = bytes(range(256)) * 20
TENANT = uuid4()


@pytest.fixture(params=["files", "s3"])
def store_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    values = {} if request.param == "files" else request.getfixturevalue("s3_settings")
    return Settings(data_dir=tmp_path / "data", **values)


def open_store(settings: Settings, tenant_id: UUID = TENANT) -> Blobs:
    return open_blobs(settings, tenant_id)


@pytest.fixture
def blobs(store_settings: Settings) -> Blobs:
    return open_store(store_settings)


def adopted(blobs: Blobs, folder: Path, content: bytes = CONTENT) -> str:
    file = folder / "file"
    file.write_bytes(content)
    sha256, num_bytes = blobs.adopt(file)
    assert (sha256, num_bytes) == (hashlib.sha256(content).hexdigest(), len(content))
    assert not file.exists()
    return sha256


def whole(blobs: Blobs, sha256: str) -> bytes:
    return b"".join(blobs.read(sha256, 0, blobs.num_bytes(sha256)))


class TestBlobs:
    def test_are_read_whole_and_in_parts(self, blobs: Blobs, tmp_path: Path) -> None:
        sha256 = adopted(blobs, tmp_path)
        assert whole(blobs, sha256) == CONTENT
        assert b"".join(blobs.read(sha256, 100, 1100)) == CONTENT[100:1100]
        assert b"".join(blobs.read(sha256, 5, 5)) == b""

    def test_of_no_bytes_are_blobs_too(self, blobs: Blobs, tmp_path: Path) -> None:
        assert whole(blobs, adopted(blobs, tmp_path, b"")) == b""

    def test_come_in_from_a_child_that_knows_no_secret(self, blobs: Blobs, tmp_path: Path) -> None:
        child = BlobStore(blobs.inbox(tmp_path / "attempt"))
        names = [child.put(f"image {number}".encode()) for number in range(300)]
        beats: list[None] = []
        blobs.take_in(child.root, lambda: beats.append(None))
        assert [whole(blobs, name) for name in names[:3]] == [b"image 0", b"image 1", b"image 2"]
        assert blobs.num_bytes(names[-1]) == len(b"image 299")
        assert len(beats) in {0, 2}  # files are in place already

    def test_that_are_not_there_have_no_size(self, blobs: Blobs) -> None:
        with pytest.raises(FileNotFoundError):
            blobs.num_bytes("0" * 64)

    def test_in_a_bucket_that_is_missing_cannot_be_used(
        self, s3_settings: dict[str, str], tmp_path: Path
    ) -> None:
        values = s3_settings | {"store_url": "s3://nobody-made-this/blobs"}
        blobs = open_store(Settings.model_validate({"data_dir": tmp_path / "data", **values}))
        file = tmp_path / "file"
        file.write_bytes(CONTENT)
        for use in (
            lambda: blobs.adopt(file),
            lambda: blobs.num_bytes("0" * 64),
            lambda: list(blobs.read("0" * 64, 0, 9)),
            lambda: blobs.remove(["0" * 64]),
            lambda: blobs.bring(["0" * 64], tmp_path, lambda: None),
        ):
            with pytest.raises(StoreUnavailableError, match="the bucket does not exist"):
                use()

    def test_may_be_removed_twice(self, blobs: Blobs, tmp_path: Path) -> None:
        sha256 = adopted(blobs, tmp_path)
        blobs.remove([sha256, "0" * 64])
        blobs.remove([sha256])
        blobs.remove([])
        with pytest.raises(FileNotFoundError):
            blobs.num_bytes(sha256)

    def test_of_tenants_are_kept_apart(
        self, blobs: Blobs, store_settings: Settings, tmp_path: Path
    ) -> None:
        sha256 = adopted(blobs, tmp_path)
        with pytest.raises(FileNotFoundError):
            open_store(store_settings, uuid4()).num_bytes(sha256)

    def test_have_a_signed_url_where_the_store_can(
        self, blobs: Blobs, store_settings: Settings, tmp_path: Path
    ) -> None:
        sha256 = adopted(blobs, tmp_path)
        url = blobs.signed_url(sha256, timedelta(minutes=1))
        assert (url is None) == (store_settings.s3_url is None)
        if url is not None:
            assert httpx2.get(url).content == CONTENT
