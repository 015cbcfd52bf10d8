"""Archives that are refused as a whole, each with its code."""

import contextlib
import gzip
import io
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.worker.ingest.making import (
    LIMITS,
    NO_COLUMNS,
    Files,
    below,
    edit_zip,
    make_tar,
    make_zip,
    png,
    run,
    tar_entry,
    tar_of,
    two_classes,
)
from worker.ingest.archive import open_archive
from worker.ingest.errors import FailureCode, IngestError, RefusedFileError
from worker.ingest.limits import Limits, ReadMeter
from worker.ingest.selection import sort_out

MIB = 1024**2
Make = Callable[[Path, Files], Path]
ONE = (1).to_bytes(4, "little")


def _failure(archive: Path, limits: Limits = LIMITS) -> FailureCode:
    with pytest.raises(IngestError) as caught:
        run(archive, limits=limits)
    assert caught.value.detail.endswith(".")
    assert str(archive.parent) not in caught.value.detail
    return caught.value.code


def overlap_bomb(path: Path, *, num_entries: int = 100) -> Path:
    """Write a zip whose entries all unpack the same 10 MB of data."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cat/000.png", bytes(10 * MIB))
        directory_at = archive.start_dir
    data = packed.getvalue()
    entry = data[directory_at : data.rindex(b"PK\x05\x06")]
    entries = b"".join(
        entry.replace(b"cat/000.png", f"cat/{n:03}.png".encode()) for n in range(num_entries)
    )
    end = struct.pack(
        "<4s4H2LH", b"PK\x05\x06", 0, 0, num_entries, num_entries, len(entries), directory_at, 0
    )
    path.write_bytes(data[:directory_at] + entries + end)
    return path


class TestZip:
    def test_entries_that_share_their_data(self, archive: Path) -> None:
        assert _failure(overlap_bomb(archive)) is FailureCode.SUSPICIOUS_ARCHIVE
        assert archive.stat().st_size < 20_000

    def test_entries_that_share_data_under_one_name(self, archive: Path) -> None:
        same_name = overlap_bomb(archive).read_bytes()
        for n in range(100):
            same_name = same_name.replace(f"cat/{n:03}.png".encode(), b"cat/000.png")
        archive.write_bytes(same_name)
        assert _failure(archive) is FailureCode.SUSPICIOUS_ARCHIVE

    def test_zeros_without_end(self, archive: Path) -> None:
        files = {f"cat/{n}.png": bytes(33 * MIB) for n in range(2)}
        assert _failure(make_zip(archive, files)) is FailureCode.SUSPICIOUS_ARCHIVE

    @pytest.mark.parametrize(
        ("local", "central"),
        [
            ({30: b"dog"}, {}),
            ({14: b"1234"}, {}),
            ({18: ONE}, {}),
            ({22: ONE}, {}),
            ({8: b"\x00"}, {}),
            ({6: b"\x01"}, {}),
            ({}, {8: b"\x01"}),
        ],
        ids=["name", "crc", "packed", "unpacked", "method", "encrypted", "encrypted-central"],
    )
    def test_headers_that_contradict_each_other(
        self, archive: Path, local: dict[int, bytes], central: dict[int, bytes]
    ) -> None:
        make_zip(archive, two_classes())
        edit_zip(archive, "cat/1.png", local=local, central=central)
        assert _failure(archive) is FailureCode.SUSPICIOUS_ARCHIVE

    def test_an_entry_that_points_nowhere(self, archive: Path) -> None:
        make_zip(archive, two_classes())
        edit_zip(archive, "cat/2.png", local={}, central={42: (5).to_bytes(4, "little")})
        assert _failure(archive) in {
            FailureCode.CORRUPT_ARCHIVE,
            FailureCode.SUSPICIOUS_ARCHIVE,
        }

    @pytest.mark.parametrize("extra", [b"x", b"x" * 30_000])
    def test_trailing_and_leading_data(self, archive: Path, extra: bytes) -> None:
        data = make_zip(archive, two_classes()).read_bytes()
        for altered in (data + extra, extra + data):
            archive.write_bytes(altered)
            assert _failure(archive) is FailureCode.SUSPICIOUS_ARCHIVE

    def test_leading_data_that_the_offsets_allow_for(self, archive: Path) -> None:
        with archive.open("w+b") as file:
            file.write(b"#!/bin/sh\n")
            with zipfile.ZipFile(file, "a") as packed:
                for name, data in two_classes().items():
                    packed.writestr(name, data)
        assert _failure(archive) is FailureCode.SUSPICIOUS_ARCHIVE

    def test_offsets_that_only_some_readers_correct(self, archive: Path) -> None:
        data = bytearray(make_zip(archive, two_classes()).read_bytes())
        with zipfile.ZipFile(archive) as packed:
            entries = packed.infolist()
            positions = [packed.start_dir]
        for entry in entries[:-1]:
            positions.append(positions[-1] + 46 + len(entry.filename))
        for at in [position + 42 for position in positions] + [len(data) - 6]:
            shifted = int.from_bytes(data[at : at + 4], "little") + 7
            data[at : at + 4] = shifted.to_bytes(4, "little")
        archive.write_bytes(data)
        with zipfile.ZipFile(archive) as packed:
            assert packed.testzip() is None  # the standard library sees nothing odd
        assert _failure(archive) is FailureCode.SUSPICIOUS_ARCHIVE

    def test_an_entry_that_reaches_into_the_table_of_contents(self, archive: Path) -> None:
        make_zip(archive, two_classes())
        size = (1000).to_bytes(4, "little")
        edit_zip(archive, "dog/2.png", local={18: size}, central={20: size})
        assert _failure(archive) is FailureCode.SUSPICIOUS_ARCHIVE

    def test_two_zips_in_one_file(self, archive: Path) -> None:
        data = make_zip(archive, two_classes()).read_bytes()
        archive.write_bytes(data + data)
        assert _failure(archive) is FailureCode.SUSPICIOUS_ARCHIVE

    def test_a_wrong_number_of_entries(self, archive: Path) -> None:
        data = bytearray(make_zip(archive, two_classes()).read_bytes())
        data[-12:-10] = b"\x03\x00"
        archive.write_bytes(data)
        assert _failure(archive) is FailureCode.SUSPICIOUS_ARCHIVE

    @pytest.mark.parametrize("share", [0.3, 0.7, 0.97])
    def test_a_truncated_upload(self, archive: Path, share: float) -> None:
        data = make_zip(archive, two_classes()).read_bytes()
        archive.write_bytes(data[: int(len(data) * share)])
        assert _failure(archive) is FailureCode.TRUNCATED_ARCHIVE

    def test_a_comment_is_no_trailing_data(self, archive: Path) -> None:
        with zipfile.ZipFile(make_zip(archive, two_classes()), "a") as packed:
            packed.comment = b"packed by hand" * 9
        assert run(archive).summary["num_samples"] == 4

    def test_zip64_and_streamed_zips_are_read(self, archive: Path) -> None:
        program = (
            "import sys, zipfile\n"
            "with zipfile.ZipFile(sys.stdout.buffer, 'w') as packed:\n"
            "    for line in sys.stdin:\n"
            "        name, data = line.split()\n"
            "        with packed.open(name, 'w', force_zip64=True) as member:\n"
            "            member.write(bytes.fromhex(data))\n"
        )
        lines = "".join(f"{name} {data.hex()}\n" for name, data in two_classes().items())
        streamed = subprocess.run(
            [sys.executable, "-c", program],
            input=lines.encode(),
            stdout=subprocess.PIPE,
            check=True,
        )
        archive.write_bytes(streamed.stdout)
        assert run(archive).summary["num_samples"] == 4

    def test_a_zip64_end_record_is_read(
        self, archive: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 2)
        assert b"PK\x06\x06" in make_zip(archive, two_classes()).read_bytes()
        assert run(archive).summary["num_samples"] == 4


class TestTar:
    def test_zeros_without_end(self, archive: Path) -> None:
        make_tar(archive, {"cat/1.png": bytes(65 * MIB)}, mode="w:gz")
        assert _failure(archive) is FailureCode.SUSPICIOUS_ARCHIVE

    @pytest.mark.parametrize("mode", ["w", "w:gz"])
    @pytest.mark.parametrize("share", [0.3, 0.6])
    def test_a_truncated_upload(self, archive: Path, mode: str, share: float) -> None:
        files = {name: png(n, width=90, height=90) for n, name in enumerate(two_classes())}
        data = make_tar(archive, files, mode=mode).read_bytes().rstrip(b"\0")
        archive.write_bytes(data[: int(len(data) * share)])
        assert _failure(archive) is FailureCode.TRUNCATED_ARCHIVE

    def test_cut_off_exactly_between_two_members(self, archive: Path) -> None:
        data = make_tar(archive, two_classes()).read_bytes()
        archive.write_bytes(data[:2048])
        assert _failure(archive) is FailureCode.TRUNCATED_ARCHIVE

    def test_cut_off_between_an_extended_header_and_its_file(self, archive: Path) -> None:
        entry = tar_entry("cat/1.png", 3)
        entry.pax_headers = {"comment": "x"}
        data = tar_of(archive, [(entry, b"abc")]).read_bytes()
        archive.write_bytes(data[:1024])
        assert _failure(archive) is FailureCode.TRUNCATED_ARCHIVE

    def test_a_damaged_header_is_not_taken_for_the_end(self, archive: Path) -> None:
        data = bytearray(make_tar(archive, two_classes()).read_bytes())
        data[1024] ^= 0xFF
        archive.write_bytes(data)
        assert _failure(archive) is FailureCode.CORRUPT_ARCHIVE

    def test_a_damaged_gzip(self, archive: Path) -> None:
        data = bytearray(make_tar(archive, two_classes(), mode="w:gz").read_bytes())
        data[-6] ^= 0xFF
        archive.write_bytes(data)
        assert _failure(archive) is FailureCode.CORRUPT_ARCHIVE

    def test_data_behind_the_end(self, archive: Path) -> None:
        data = make_tar(archive, two_classes()).read_bytes()
        archive.write_bytes(data + data)
        assert _failure(archive) is FailureCode.SUSPICIOUS_ARCHIVE

    @pytest.mark.parametrize("size", ["-512", "-1", str(10**15), "9" * 30])
    def test_sizes_that_cannot_be(self, archive: Path, size: str) -> None:
        entry = tar_entry("cat/1.png", 600)
        entry.pax_headers = {"size": size}
        tar_of(archive, [(entry, bytes(600))])
        assert _failure(archive) in {
            FailureCode.CORRUPT_ARCHIVE,
            FailureCode.TRUNCATED_ARCHIVE,
        }

    def test_an_extended_header_of_megabytes(self, archive: Path) -> None:
        entry = tar_entry("cat/1.png", 1)
        entry.pax_headers = {"comment": "1" * MIB}
        tar_of(archive, [(entry, b"x")])
        assert _failure(archive) is FailureCode.CORRUPT_ARCHIVE

    def test_thousands_of_headers_for_one_file(self, archive: Path) -> None:
        header = tar_entry("x", kind=tarfile.XHDTYPE).tobuf(format=tarfile.USTAR_FORMAT)
        archive.write_bytes(header * 5000 + bytes(10_240))
        assert _failure(archive) is FailureCode.CORRUPT_ARCHIVE


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
        assert _failure(archive) is FailureCode.UNKNOWN_ARCHIVE

    @pytest.mark.parametrize("mode", ["w", "w:gz"])
    def test_a_file_that_is_two_archives_at_once(
        self, archive: Path, tmp_path: Path, mode: str
    ) -> None:
        tar = make_tar(tmp_path / "a.tar", two_classes(), mode=mode).read_bytes()
        zipped = make_zip(tmp_path / "b.zip", two_classes()).read_bytes()
        archive.write_bytes(tar + zipped)
        assert _failure(archive) is FailureCode.SUSPICIOUS_ARCHIVE

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
        assert _failure(archive) is FailureCode.SUSPICIOUS_ARCHIVE

    @pytest.mark.parametrize("make", [make_zip, make_tar])
    def test_archives_without_files(self, archive: Path, make: Make) -> None:
        empty: Files = {}
        for files in (empty, {".DS_Store": b"x"}):
            make(archive, files)
            assert _failure(archive) is FailureCode.EMPTY_ARCHIVE

    def test_an_archive_of_folders(self, archive: Path) -> None:
        make_zip(archive, {"cat/": b"", "dog/": b""})
        assert _failure(archive) is FailureCode.EMPTY_ARCHIVE

    def test_an_archive_of_anything_but_images(self, archive: Path) -> None:
        make_zip(archive, {"cat/a.txt": b"x", "dog/b.txt": b"y", "c.txt": b"z"})
        assert _failure(archive) is FailureCode.NO_SAMPLES

    @pytest.mark.parametrize("make", [make_zip, make_tar])
    def test_too_many_files(self, archive: Path, make: Make) -> None:
        make(archive, below("w", two_classes()))
        assert _failure(archive, replace(LIMITS, max_files=3)) is FailureCode.TOO_MANY_FILES

    @pytest.mark.parametrize("make", [make_zip, make_tar])
    def test_too_many_bytes(self, archive: Path, make: Make) -> None:
        make(archive, two_classes())
        limits = replace(LIMITS, max_unpacked_bytes=200)
        assert _failure(archive, limits) is FailureCode.ARCHIVE_TOO_LARGE


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
        with open_archive(archive, LIMITS, scratch=tmp_path, safe_point=lambda: None) as opened:
            for candidate in sort_out(opened, LIMITS, NO_COLUMNS).candidates:
                with contextlib.suppress(RefusedFileError):
                    opened.read(candidate.member, ReadMeter(LIMITS, archive_bytes=len(data)))
    except IngestError as error:
        assert error.detail.endswith(".")  # noqa: PT017 - an error may come, and need not
