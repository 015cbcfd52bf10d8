"""What is kept of each file instead of objects: the outcome is that of the plain way."""

import hashlib
import json
import random
import zipfile
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from tests.worker.ingest.making import LIMITS, edit_zip, failure, make_zip, run, two_classes
from worker.files.errors import FailureCode, RefusedFileError, RejectCode
from worker.files.limits import ReadMeter
from worker.files.zip import ZipArchive
from worker.ingest import sample_file
from worker.ingest.layout import Place
from worker.ingest.pixel_cache import Hasher
from worker.ingest.sample_file import ContentHash, SampleFile
from worker.ingest.samples import Sample
from worker.ingest.twins import Twins

MIB = 1024**2


def sha256_of(number: int) -> str:
    return hashlib.sha256(b"%d" % number).hexdigest()


def sample(number: int, content: int | None = None) -> Sample:
    return Sample(
        path=f"cat/{number}.png",
        place=Place("train", "cat" if number % 2 else "dog", f"{number}.png"),
        sha256=sha256_of(number if content is None else content),
        num_bytes=1,
        thumb_sha256=None,
        thumb_num_bytes=None,
        media_type="image/png",
        width=8,
        height=8,
    )


class TestContentHash:
    @pytest.mark.parametrize("at_once", [1, 7, 100])
    def test_does_not_depend_on_how_much_is_sorted_at_once(
        self, at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sample_file, "_LINES_AT_ONCE", at_once)
        monkeypatch.setattr(sample_file, "_CHUNK_BYTES", 50)
        names = [f'Kätze "{number}".png' for number in range(20)] * 2
        with closing(ContentHash(tmp_path)) as found:
            for number, name in enumerate(names):
                found.add("train", "cat\\", f"folder/{name}", sha256_of(number % 30))
            lines = sorted(
                json.dumps(["train", "cat\\", name, sha256_of(number % 30)]).encode()
                for number, name in enumerate(names)
            )
            assert found.hexdigest() == hashlib.sha256(b"\n".join(lines)).hexdigest()


class TestSampleFile:
    def test_knows_equal_files_and_paths(self, tmp_path: Path) -> None:
        with closing(SampleFile(tmp_path)) as samples:
            for number, content in enumerate([5, 1, 5, 2, 5, 2]):
                samples.add(sample(number, content))
            assert sorted(samples.exact_pairs()) == [(0, 2), (2, 4), (3, 5)]
            assert samples.path(3) == "cat/3.png"
            assert samples.brief(3) == (sha256_of(2), "train", "cat")
            assert samples.counts() == {("train", "cat"): 3, ("train", "dog"): 3}

    def test_writes_labels_and_notes(self, tmp_path: Path) -> None:
        with closing(SampleFile(tmp_path)) as samples:
            samples.add(sample(0))
            samples.add(sample(1))
            samples.write(tmp_path / "rows", {"cat": 0, "dog": 1}, {1: {"leaking": True}})
        first, second = map(json.loads, (tmp_path / "rows").read_text().splitlines())
        assert (first["label"], second["label"], second["leaking"]) == (1, 0, True)
        assert "leaking" not in first


class TestTwins:
    def test_are_told_by_what_was_taken(self) -> None:
        twins = Twins(["a.png", "A.png", "b.png"])
        assert twins.of("A.png") is None
        twins.take("a.png")
        assert twins.of("A.png") == "a.png"
        twins.take("b.png")
        assert twins.of("b.png") is None  # the only one of its kind: nobody asks


def test_hashes_do_not_depend_on_the_pieces() -> None:
    pixels = random.Random(1).randbytes(700 * 16 * 16 * 3)  # noqa: S311 - pictures
    whole, pieces = Hasher(16), Hasher(16)
    whole.add(pixels)
    for start in range(0, len(pixels), 1000):
        pieces.add(pixels[start : start + 1000])
    assert len(whole.hashes()) == 700
    assert np.array_equal(whole.hashes(), pieces.hashes())


class TestMembersOfAZip:
    def content(self, archive: Path, name: str) -> bytes:
        with archive.open("rb") as file:
            opened = ZipArchive(file, lambda: None, max_files=9, max_file_bytes=MIB)
            (member,) = (member for member in opened.members if member.name == name)
            assert opened.member(member.key) == member
            whole = opened.read(member, ReadMeter(LIMITS, archive_bytes=10**6))
            with opened.open(member) as read:
                assert b"".join(iter(lambda: read(7), b"")) == whole
            return whole

    @pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    @pytest.mark.parametrize("content", [b"", b"x", bytes(300_000), b"0123456789" * 99])
    def test_are_read_whole_and_in_pieces(
        self, archive: Path, content: bytes, compression: int
    ) -> None:
        make_zip(archive, {"a.png": content, "b.png": b"y"}, compression=compression)
        assert self.content(archive, "a.png") == content

    @pytest.mark.parametrize("size", [5, 11, 100])
    @pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    def test_of_another_size_than_they_claim(
        self, archive: Path, size: int, compression: int
    ) -> None:
        make_zip(archive, {"a.png": b"0123456789"}, compression=compression)
        claimed = size.to_bytes(4, "little")
        edit_zip(archive, "a.png", local={22: claimed}, central={24: claimed})
        with pytest.raises(RefusedFileError) as caught:
            self.content(archive, "a.png")
        assert caught.value.refusal.code is RejectCode.UNREADABLE_MEMBER

    @pytest.mark.parametrize(
        "change",
        [{0: b"XX"}, {6: b"\x99"}, {30: b"\xff\x00"}, {28: b"\xff\x00"}, {42: b"\xff" * 4}],
    )
    def test_in_a_damaged_table_of_contents(self, archive: Path, change: dict[int, bytes]) -> None:
        make_zip(archive, two_classes())
        edit_zip(archive, "dog/2.png", local={}, central=change)
        assert failure(archive) is FailureCode.CORRUPT_ARCHIVE

    def test_that_are_changes_to_other_files(self, archive: Path) -> None:
        make_zip(archive, {**two_classes(), "cat/3.png": b"patch"})
        edit_zip(archive, "cat/3.png", local={6: b"\x20"}, central={8: b"\x20"})
        assert run(archive).codes == {"cat/3.png": "unsupported_compression"}
