import os
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import pytest

from labelaudit.audit import pack_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "images"
    for name in ("b/2.png", "b/1.png", "a/ü.png", ".git/x", "a/.hidden", "out/findings.csv"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return root


def test_packs_regular_files_in_order_and_uncompressed(folder: Path, tmp_path: Path) -> None:
    packed = pack_folder(folder, tmp_path / "x.zip", without=folder / "out")
    with ZipFile(tmp_path / "x.zip") as archive:
        assert archive.namelist() == ["a/ü.png", "b/1.png", "b/2.png"]
        assert archive.read("b/2.png") == b"b/2.png"
        assert {member.compress_type for member in archive.infolist()} == {ZIP_STORED}
    assert (packed.num_files, packed.num_left_out) == (3, 0)


def test_counts_what_it_leaves_out(folder: Path, tmp_path: Path) -> None:
    (folder / "a" / "link.png").symlink_to(folder / "b" / "1.png")
    (folder / "linked").symlink_to(folder / "b")
    os.mkfifo(folder / "a" / "pipe.png")
    (folder / "a" / b"\xff.png".decode(errors="surrogateescape")).write_text("x")
    packed = pack_folder(folder, tmp_path / "x.zip", without=folder / "out")
    assert (packed.num_files, packed.num_left_out) == (3, 4)


def test_the_same_files_make_the_same_archive(folder: Path, tmp_path: Path) -> None:
    pack_folder(folder, tmp_path / "x.zip")
    os.utime(folder / "b" / "1.png", (0, 0))
    pack_folder(folder, tmp_path / "y.zip")
    assert (tmp_path / "x.zip").read_bytes() == (tmp_path / "y.zip").read_bytes()
