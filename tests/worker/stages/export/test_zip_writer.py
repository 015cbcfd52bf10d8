import zipfile
from pathlib import Path

import pytest

from worker.stages.export.zip_writer import ZipWriter


def write(target: Path, members: dict[str, bytes]) -> None:
    with ZipWriter(target) as archive:
        for name, data in members.items():
            archive.add(name, data)


class TestZipWriter:
    def test_writes_what_others_read(self, tmp_path: Path) -> None:
        members = {"a/ü.png": b"one", "a/empty": b"", "b": bytes(range(256)) * 100}
        write(tmp_path / "x.zip", members)
        big = tmp_path / "big"
        big.write_bytes(b"0123456789" * 300_000)
        with ZipWriter(tmp_path / "y.zip") as archive:
            archive.add_file("big", big)
        for name, expected in (("x.zip", members), ("y.zip", {"big": big.read_bytes()})):
            with zipfile.ZipFile(tmp_path / name) as archive:
                assert archive.testzip() is None
                assert {info: archive.read(info) for info in archive.namelist()} == expected
        assert sorted(path.name for path in tmp_path.iterdir()) == ["big", "x.zip", "y.zip"]

    def test_is_the_same_file_for_the_same_members(self, tmp_path: Path) -> None:
        for name in ("1", "2"):
            write(tmp_path / name, {"a": b"b"})
        assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()

    def test_takes_more_members_than_16_bits_count(self, tmp_path: Path) -> None:
        write(tmp_path / "x.zip", {str(number): b"" for number in range(70_000)})
        with zipfile.ZipFile(tmp_path / "x.zip") as archive:
            assert len(archive.namelist()) == 70_000

    def test_takes_more_bytes_than_32_bits_count(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 999)
        members = {"small": b"x" * 999, "large": b"y" * 1000, "late": b"z"}
        write(tmp_path / "x.zip", members)
        with zipfile.ZipFile(tmp_path / "x.zip") as archive:
            assert {name: archive.read(name) for name in archive.namelist()} == members
