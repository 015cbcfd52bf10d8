"""Tars that are refused as a whole, or of which files are."""

import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.worker.stages.ingest.making import (
    Files,
    failure,
    make_tar,
    png,
    run,
    tar_entry,
    tar_of,
    tar_with,
    two_classes,
)
from worker.files.errors import FailureCode

MIB = 1024**2
Make = Callable[[Path, Files], Path]
ONE = (1).to_bytes(4, "little")


class TestTar:
    def test_zeros_without_end(self, archive: Path) -> None:
        make_tar(archive, {"cat/1.png": bytes(65 * MIB)}, mode="w:gz")
        assert failure(archive) is FailureCode.SUSPICIOUS_ARCHIVE

    @pytest.mark.parametrize("mode", ["w", "w:gz"])
    @pytest.mark.parametrize("share", [0.3, 0.6])
    def test_a_truncated_upload(self, archive: Path, mode: str, share: float) -> None:
        files = {name: png(n, width=90, height=90) for n, name in enumerate(two_classes())}
        data = make_tar(archive, files, mode=mode).read_bytes().rstrip(b"\0")
        archive.write_bytes(data[: int(len(data) * share)])
        assert failure(archive) is FailureCode.TRUNCATED_ARCHIVE

    def test_cut_off_exactly_between_two_members(self, archive: Path) -> None:
        data = make_tar(archive, two_classes()).read_bytes()
        archive.write_bytes(data[:2048])
        assert failure(archive) is FailureCode.TRUNCATED_ARCHIVE

    def test_cut_off_between_an_extended_header_and_its_file(self, archive: Path) -> None:
        entry = tar_entry("cat/1.png", 3)
        entry.pax_headers = {"comment": "x"}
        data = tar_of(archive, [(entry, b"abc")]).read_bytes()
        archive.write_bytes(data[:1024])
        assert failure(archive) is FailureCode.TRUNCATED_ARCHIVE

    def test_a_damaged_header_is_not_taken_for_the_end(self, archive: Path) -> None:
        data = bytearray(make_tar(archive, two_classes()).read_bytes())
        data[1024] ^= 0xFF
        archive.write_bytes(data)
        assert failure(archive) is FailureCode.CORRUPT_ARCHIVE

    def test_a_damaged_gzip(self, archive: Path) -> None:
        data = bytearray(make_tar(archive, two_classes(), mode="w:gz").read_bytes())
        data[-6] ^= 0xFF
        archive.write_bytes(data)
        assert failure(archive) is FailureCode.CORRUPT_ARCHIVE

    def test_data_behind_the_end(self, archive: Path) -> None:
        data = make_tar(archive, two_classes()).read_bytes()
        archive.write_bytes(data + data)
        assert failure(archive) is FailureCode.SUSPICIOUS_ARCHIVE

    @pytest.mark.parametrize("size", ["-512", "-1", str(10**15), "9" * 30])
    def test_sizes_that_cannot_be(self, archive: Path, size: str) -> None:
        entry = tar_entry("cat/1.png", 600)
        entry.pax_headers = {"size": size}
        tar_of(archive, [(entry, bytes(600))])
        assert failure(archive) in {
            FailureCode.CORRUPT_ARCHIVE,
            FailureCode.TRUNCATED_ARCHIVE,
        }

    def test_an_extended_header_of_megabytes(self, archive: Path) -> None:
        entry = tar_entry("cat/1.png", 1)
        entry.pax_headers = {"comment": "1" * MIB}
        tar_of(archive, [(entry, b"x")])
        assert failure(archive) is FailureCode.CORRUPT_ARCHIVE

    def test_a_link_named_as_a_table_is_a_refused_file(self, archive: Path) -> None:
        tar_with(archive, (tar_entry("labels.csv", kind=tarfile.SYMTYPE, link="x"), b""))
        assert run(archive).codes == {"labels.csv": "not_a_regular_file"}

    def test_thousands_of_headers_for_one_file(self, archive: Path) -> None:
        header = tar_entry("x", kind=tarfile.XHDTYPE).tobuf(format=tarfile.USTAR_FORMAT)
        archive.write_bytes(header * 5000 + bytes(10_240))
        assert failure(archive) is FailureCode.CORRUPT_ARCHIVE
