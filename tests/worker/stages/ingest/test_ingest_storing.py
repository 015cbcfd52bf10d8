"""Where the images of an upload end, and when they are safe there."""

import hashlib
import os
from pathlib import Path

import pytest

from app.core import packs
from app.core.packs import MAX_PACKED_BYTES
from app.core.storage import BlobStore
from tests.worker.stages.ingest.making import make_zip, png, run, two_classes
from worker.stages.ingest.samples import writing_blobs

LARGE = b"x" * (MAX_PACKED_BYTES + 1)


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs")


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def put_all(store: BlobStore, *contents: bytes) -> list[str]:
    with writing_blobs(store) as writer:
        names = [writer.put(content) for content in contents]
        writer.finish()
    return names


def files(store: BlobStore) -> list[Path]:
    return sorted(path for path in store.root.rglob("*") if path.is_file())


class TestAnUpload:
    def test_of_small_images_becomes_one_file(self, archive: Path) -> None:
        result = run(make_zip(archive, two_classes()))
        store = BlobStore(result.blob_dir)
        assert [path.suffix for path in files(store)] == [".pack"]
        assert {sample["sha256"] for sample in result.samples} == set(store.names())

    def test_that_is_refused_leaves_nothing(self, archive: Path) -> None:
        with pytest.raises(Exception, match="class"):
            run(make_zip(archive, {"cat/1.png": png(1), "cat/2.png": png(2)}))
        assert files(BlobStore(archive.with_name("upload-blobs"))) == []


class TestBlobs:
    def test_have_the_name_of_their_content(self, store: BlobStore, syncs: list[None]) -> None:
        contents = [b"one", b"two", LARGE]
        names = put_all(store, *contents)
        assert names == [sha256_of(content) for content in contents]
        assert [store.load(name) for name in names] == contents
        assert len(files(store)) == 2
        assert len(syncs) == 1

    def test_are_on_disk_before_their_pack_has_its_name(
        self, store: BlobStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        synced: list[int] = []

        def fsync(descriptor: int) -> None:
            synced.append(os.fstat(descriptor).st_ino)
            assert list(store.packs.folder.glob("*.pack")) == [] or len(synced) > 1

        monkeypatch.setattr(os, "fsync", fsync)
        put_all(store, b"one")
        (pack,) = store.packs.paths()
        assert synced == [pack.stat().st_ino, pack.parent.stat().st_ino]

    @pytest.mark.parametrize("content", [b"small", LARGE])
    def test_are_stored_once(self, store: BlobStore, content: bytes) -> None:
        put_all(store, content, content)
        before = files(store)
        put_all(store, content)
        assert files(store) == before
        assert list(store.names()) == [sha256_of(content)]

    def test_that_have_a_file_get_no_place_in_a_pack(self, store: BlobStore) -> None:
        store.put(b"small")
        put_all(store, b"small")
        assert store.packs.paths() == []

    def test_go_into_the_next_pack_where_one_is_full(
        self, store: BlobStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(packs, "_MAX_PACK_BYTES", 100)
        contents = [bytes([number]) * 40 for number in range(10)]
        names = put_all(store, *contents, contents[0])
        assert len(store.packs.paths()) == 4
        assert sorted(store.names()) == sorted(names[:-1])
        assert [store.load(name) for name in names] == [*contents, contents[0]]

    def test_of_a_killed_writer_are_tidied_away(self, store: BlobStore) -> None:
        with writing_blobs(store) as writer:
            writer.put(b"lost")
            (half,) = files(store)
            half.with_name(".killed.tmp").write_bytes(b"half of a pack")
        assert list(store.names()) == []
        assert [path.name for path in files(store)] == [".killed.tmp"]
        store.tidy()
        assert files(store) == []
