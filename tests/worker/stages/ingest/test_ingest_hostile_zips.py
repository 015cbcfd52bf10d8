"""Zips that are refused as a whole, or of which files are."""

import io
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.worker.stages.ingest.making import (
    Files,
    edit_zip,
    failure,
    make_zip,
    run,
    two_classes,
)
from worker.files.errors import FailureCode

MIB = 1024**2
Make = Callable[[Path, Files], Path]
ONE = (1).to_bytes(4, "little")


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
        assert failure(overlap_bomb(archive)) is FailureCode.SUSPICIOUS_ARCHIVE
        assert archive.stat().st_size < 20_000

    def test_entries_that_share_data_under_one_name(self, archive: Path) -> None:
        same_name = overlap_bomb(archive).read_bytes()
        for n in range(100):
            same_name = same_name.replace(f"cat/{n:03}.png".encode(), b"cat/000.png")
        archive.write_bytes(same_name)
        assert failure(archive) is FailureCode.SUSPICIOUS_ARCHIVE

    def test_zeros_without_end(self, archive: Path) -> None:
        files = {f"cat/{n}.png": bytes(33 * MIB) for n in range(2)}
        assert failure(make_zip(archive, files)) is FailureCode.SUSPICIOUS_ARCHIVE

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
        assert failure(archive) is FailureCode.SUSPICIOUS_ARCHIVE

    def test_a_name_in_two_encodings(self, archive: Path) -> None:
        make_zip(archive, two_classes() | {"cat/ä.png": two_classes()["cat/1.png"]})
        edit_zip(archive, "cat/ä.png", local={7: b"\x00"}, central={})
        assert failure(archive) is FailureCode.SUSPICIOUS_ARCHIVE

    def test_an_entry_that_points_nowhere(self, archive: Path) -> None:
        make_zip(archive, two_classes())
        edit_zip(archive, "cat/2.png", local={}, central={42: (5).to_bytes(4, "little")})
        assert failure(archive) in {
            FailureCode.CORRUPT_ARCHIVE,
            FailureCode.SUSPICIOUS_ARCHIVE,
        }

    @pytest.mark.parametrize("extra", [b"x", b"x" * 30_000])
    def test_trailing_and_leading_data(self, archive: Path, extra: bytes) -> None:
        data = make_zip(archive, two_classes()).read_bytes()
        for altered in (data + extra, extra + data):
            archive.write_bytes(altered)
            assert failure(archive) is FailureCode.SUSPICIOUS_ARCHIVE

    def test_leading_data_that_the_offsets_allow_for(self, archive: Path) -> None:
        with archive.open("w+b") as file:
            file.write(b"#!/bin/sh\n")
            with zipfile.ZipFile(file, "a") as packed:
                for name, data in two_classes().items():
                    packed.writestr(name, data)
        assert failure(archive) is FailureCode.SUSPICIOUS_ARCHIVE

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
        assert failure(archive) is FailureCode.SUSPICIOUS_ARCHIVE

    def test_an_entry_that_reaches_into_the_table_of_contents(self, archive: Path) -> None:
        make_zip(archive, two_classes())
        size = (1000).to_bytes(4, "little")
        edit_zip(archive, "dog/2.png", local={18: size}, central={20: size})
        assert failure(archive) is FailureCode.SUSPICIOUS_ARCHIVE

    def test_two_zips_in_one_file(self, archive: Path) -> None:
        data = make_zip(archive, two_classes()).read_bytes()
        archive.write_bytes(data + data)
        assert failure(archive) is FailureCode.SUSPICIOUS_ARCHIVE

    def test_a_wrong_number_of_entries(self, archive: Path) -> None:
        data = bytearray(make_zip(archive, two_classes()).read_bytes())
        data[-12:-10] = b"\x03\x00"
        archive.write_bytes(data)
        assert failure(archive) is FailureCode.SUSPICIOUS_ARCHIVE

    @pytest.mark.parametrize("share", [0.3, 0.7, 0.97])
    def test_a_truncated_upload(self, archive: Path, share: float) -> None:
        data = make_zip(archive, two_classes()).read_bytes()
        archive.write_bytes(data[: int(len(data) * share)])
        assert failure(archive) is FailureCode.TRUNCATED_ARCHIVE

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
