"""Archives of any kind that are refused as a whole, each with its code."""

import contextlib
import gzip
import struct
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.worker.stages.ingest.making import (
    LIMITS,
    NO_COLUMNS,
    Files,
    below,
    failure,
    make_tar,
    make_zip,
    png,
    run,
    two_classes,
)
from worker.files.errors import FailureCode, RefusedFileError, UploadError
from worker.files.limits import ReadMeter
from worker.stages.ingest.archive import open_archive
from worker.stages.ingest.selection import sort_out

MIB = 1024**2
Make = Callable[[Path, Files], Path]
ONE = (1).to_bytes(4, "little")


class TestKinds:
    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"just text",
            b"\x89PNG\r\n\x1a\n",
            b"7z\xbc\xaf\x27\x1c" + bytes(99),
            gzip.compress(b"just text", mtime=0),
            gzip.compress(b"", mtime=0),
        ],
    )
    def test_what_is_no_archive_of_ours(self, archive: Path, data: bytes) -> None:
        archive.write_bytes(data)
        assert failure(archive) is FailureCode.UNKNOWN_ARCHIVE

    @pytest.mark.parametrize("mode", ["w", "w:gz"])
    def test_a_file_that_is_two_archives_at_once(
        self, archive: Path, tmp_path: Path, mode: str
    ) -> None:
        tar = make_tar(tmp_path / "a.tar", two_classes(), mode=mode).read_bytes()
        zipped = make_zip(tmp_path / "b.zip", two_classes()).read_bytes()
        archive.write_bytes(tar + zipped)
        assert failure(archive) is FailureCode.SUSPICIOUS_ARCHIVE

    def test_a_zip_whose_first_bytes_are_a_tar_header_too(self, archive: Path) -> None:
        """No check of the zip finds anything wrong with this one."""
        name, extra_bytes = "cat/0.png", tarfile.BLOCKSIZE - 30 - len("cat/0.png") - 4
        with zipfile.ZipFile(archive, "w") as packed:
            entry = zipfile.ZipInfo(name)
            entry.extra = struct.pack("<2H", 0x4141, extra_bytes) + bytes(extra_bytes)
            packed.writestr(entry, png(9))
            for other, data in two_classes().items():
                packed.writestr(other, data)
        assert run(archive).summary["num_samples"] == 5
        both = bytearray(archive.read_bytes())
        both[148:156] = b" " * 8
        both[148:156] = f"{sum(both[:512]):06o}\0 ".encode()
        archive.write_bytes(both)
        with tarfile.open(archive, "r:") as readable:
            assert readable.next() is not None
        assert failure(archive) is FailureCode.SUSPICIOUS_ARCHIVE

    @pytest.mark.parametrize("make", [make_zip, make_tar])
    def test_archives_without_files(self, archive: Path, make: Make) -> None:
        empty: Files = {}
        for files in (empty, {".DS_Store": b"x"}):
            make(archive, files)
            assert failure(archive) is FailureCode.EMPTY_ARCHIVE

    def test_an_archive_of_folders(self, archive: Path) -> None:
        make_zip(archive, {"cat/": b"", "dog/": b""})
        assert failure(archive) is FailureCode.EMPTY_ARCHIVE

    def test_an_archive_of_anything_but_images(self, archive: Path) -> None:
        make_zip(archive, {"cat/a.txt": b"x", "dog/b.txt": b"y", "c.txt": b"z"})
        assert failure(archive) is FailureCode.NO_SAMPLES

    @pytest.mark.parametrize("make", [make_zip, make_tar])
    def test_too_many_files(self, archive: Path, make: Make) -> None:
        make(archive, below("w", two_classes()))
        assert failure(archive, replace(LIMITS, max_files=3)) is FailureCode.TOO_MANY_FILES

    @pytest.mark.parametrize("make", [make_zip, make_tar])
    def test_too_many_bytes(self, archive: Path, make: Make) -> None:
        make(archive, two_classes())
        limits = replace(LIMITS, max_unpacked_bytes=200)
        assert failure(archive, limits) is FailureCode.ARCHIVE_TOO_LARGE

    @pytest.mark.parametrize("make", [make_zip, make_tar])
    def test_what_claims_to_be_too_much_is_not_read(self, archive: Path, make: Make) -> None:
        num_bytes = sum(map(len, two_classes().values()))
        make(archive, two_classes())
        limits = replace(LIMITS, max_unpacked_bytes=num_bytes - 1)
        assert failure(archive, limits) is FailureCode.ARCHIVE_TOO_LARGE
        assert list(archive.with_name("upload-out").glob("images-*")) == []


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
@hypothesis_settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(edits=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=6)), max_size=5))
def test_damage_of_any_kind_gives_named_errors_only(
    tmp_path: Path, kind: str, edits: list[tuple[float, bytes]]
) -> None:
    archive = tmp_path / "upload"
    if kind == "zip":
        make_zip(archive, two_classes())
    else:
        make_tar(archive, two_classes(), mode="w:gz" if kind == "tar.gz" else "w")
    data = bytearray(archive.read_bytes())
    for place, value in edits:
        start = int(place * len(data))
        data[start : start + len(value)] = value
    archive.write_bytes(data)
    try:
        with open_archive(
            archive, LIMITS, NO_COLUMNS, name="upload", scratch=tmp_path, safe_point=lambda: None
        ) as opened:
            for candidate in sort_out(opened, LIMITS, NO_COLUMNS).candidates:
                with contextlib.suppress(RefusedFileError):
                    opened.read(candidate.member, ReadMeter(LIMITS, archive_bytes=len(data)))
    except UploadError as error:
        assert error.detail.endswith(".")  # noqa: PT017 - an error may come, and need not
