"""Zip archives by themselves: tables of contents that lie, and members in pieces."""

import struct
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.worker.stages.ingest.making import LIMITS, edit_zip, make_zip, two_classes
from worker.files.errors import FailureCode, RefusedFileError, RejectCode, UploadError
from worker.files.limits import ReadMeter
from worker.files.zip import ZipArchive

MIB = 1024**2


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "archive"


@contextmanager
def opened(path: Path, *, max_files: int = 9) -> Iterator[ZipArchive]:
    with path.open("rb") as file:
        yield ZipArchive(file, lambda: None, max_files=max_files, max_file_bytes=MIB)


def fault(path: Path, *, max_files: int = 9) -> FailureCode:
    with pytest.raises(UploadError) as caught, opened(path, max_files=max_files):
        pass
    return caught.value.code


def content(path: Path, name: str) -> bytes:
    with opened(path) as archive:
        (member,) = (member for member in archive.members if member.name == name)
        assert archive.member(member.key) == member
        whole = archive.read(member, ReadMeter(LIMITS, archive_bytes=10**6))
        with archive.open(member) as read:
            assert b"".join(iter(lambda: read(7), b"")) == whole
        return whole


class TestMembers:
    @pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    @pytest.mark.parametrize("data", [b"", b"x", bytes(300_000), b"0123456789" * 99])
    def test_are_read_whole_and_in_pieces(self, path: Path, data: bytes, compression: int) -> None:
        make_zip(path, {"a.png": data, "b.png": b"y"}, compression=compression)
        assert content(path, "a.png") == data

    @pytest.mark.parametrize("size", [5, 11, 100])
    @pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    def test_of_another_size_than_they_claim_are_refused(
        self, path: Path, size: int, compression: int
    ) -> None:
        make_zip(path, {"a.png": b"0123456789"}, compression=compression)
        claimed = size.to_bytes(4, "little")
        edit_zip(path, "a.png", local={22: claimed}, central={24: claimed})
        with pytest.raises(RefusedFileError) as caught:
            content(path, "a.png")
        assert caught.value.refusal.code is RejectCode.UNREADABLE_MEMBER

    def test_that_are_changes_to_other_files_are_refused(self, path: Path) -> None:
        make_zip(path, {"a.png": b"patch"})
        edit_zip(path, "a.png", local={6: b"\x20"}, central={8: b"\x20"})
        with pytest.raises(RefusedFileError) as caught:
            content(path, "a.png")
        assert caught.value.refusal.code is RejectCode.UNSUPPORTED_COMPRESSION


class TestTableOfContents:
    @pytest.mark.parametrize(
        "change",
        [{0: b"XX"}, {6: b"\x99"}, {30: b"\xff\x00"}, {28: b"\xff\x00"}, {42: b"\xff" * 4}],
    )
    def test_that_is_damaged_is_refused(self, path: Path, change: dict[int, bytes]) -> None:
        make_zip(path, two_classes())
        edit_zip(path, "dog/2.png", local={}, central=change)
        assert fault(path) is FailureCode.CORRUPT_ARCHIVE

    def test_is_counted_before_an_object_is_made_for_each_entry(self, path: Path) -> None:
        """The end record claims one entry, and the table has room for 20,000."""
        entry = b"PK\x01\x02" + bytes(42)
        table = entry * 20_000
        end = struct.pack("<4s4xHHIIH", b"PK\x05\x06", 1, 1, len(table), 0, 0)
        path.write_bytes(table + end)
        tracemalloc.start()
        assert fault(path, max_files=1000) is FailureCode.TOO_MANY_FILES
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < MIB
