"""Many blobs in one file."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import pytest

from app.core.packs import Pack, Packs, PackWriter
from app.core.storage import BlobStore


@pytest.fixture
def packs(tmp_path: Path) -> Packs:
    return Packs(tmp_path / "packs")


def digest_of(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def write(packs: Packs, contents: Iterable[bytes]) -> Path:
    writer = PackWriter(packs.folder)
    for content in contents:
        writer.add(digest_of(content), content)
    return writer.publish()


def read(packs: Packs, content: bytes) -> bytes | None:
    found = packs.find(digest_of(content).hex())
    if found is None:
        return None
    pack, extent = found
    return pack.read(extent.start, extent.num_bytes)


CONTENTS = [f"content {number}".encode() for number in range(1000)]


class TestPacks:
    def test_find_every_blob_and_no_other(self, packs: Packs) -> None:
        write(packs, CONTENTS[::2])
        write(packs, [b"", *CONTENTS[1::2]])
        assert [read(packs, content) for content in CONTENTS] == CONTENTS
        assert read(packs, b"") == b""
        assert read(packs, b"another") is None

    def test_are_empty_without_a_folder(self, packs: Packs) -> None:
        assert read(packs, b"one") is None
        packs.remove(["00" * 32])
        packs.tidy()
        assert list(packs.names()) == []

    def test_forget_what_is_removed_wherever_it_stands(self, packs: Packs) -> None:
        write(packs, CONTENTS)
        write(packs, CONTENTS[500:])
        removed = CONTENTS[400:600]
        packs.remove([digest_of(content).hex() for content in (*removed, b"another")])
        packs.remove([])
        left = CONTENTS[:400] + CONTENTS[600:]
        assert {bytes.fromhex(name) for name in packs.names()} == set(map(digest_of, left))
        assert [read(packs, content) for content in left] == left
        assert [read(packs, content) for content in removed] == [None] * 200

    def test_go_with_their_last_blob(self, packs: Packs) -> None:
        path = write(packs, CONTENTS[:3])
        reader = packs.find(digest_of(CONTENTS[0]).hex())
        assert reader is not None
        packs.remove([digest_of(content).hex() for content in CONTENTS[:2]])
        assert path.exists()
        packs.remove([digest_of(CONTENTS[2]).hex()])
        assert not path.exists()
        assert reader[0].read(reader[1].start, reader[1].num_bytes) == CONTENTS[0]

    def test_under_way_are_not_there_yet(self, packs: Packs) -> None:
        writer = PackWriter(packs.folder)
        writer.add(digest_of(b"one"), b"one")
        assert read(packs, b"one") is None
        writer.discard()
        assert list(packs.folder.iterdir()) == []

    @pytest.mark.parametrize("content", [b"", b"x" * 10, b"x" * 200])
    def test_that_are_none_are_told(self, tmp_path: Path, content: bytes) -> None:
        file = tmp_path / "file.pack"
        file.write_bytes(content)
        with pytest.raises(ValueError, match=r"file\.pack"):
            Pack(file)


def test_a_store_reads_parts_of_what_is_packed(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    write(store.packs, CONTENTS)
    sha256 = digest_of(CONTENTS[7]).hex()
    assert store.local_path(sha256) is None
    assert store.num_bytes(sha256) == len(CONTENTS[7])
    assert b"".join(store.read(sha256, 2, 6)) == CONTENTS[7][2:6]
