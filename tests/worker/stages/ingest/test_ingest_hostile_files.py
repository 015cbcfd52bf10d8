"""Single files that an attacker, or an odd program, put into an otherwise good archive."""

import os
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.worker.stages.ingest.making import (
    LIMITS,
    Files,
    edit_zip,
    encoded,
    make_tar,
    make_zip,
    picture,
    png,
    run,
    tar_entry,
    tar_of,
    tar_with,
    two_classes,
    zip_with_edited,
    zip_with_link,
    zip_with_twin,
)

EVIL = png(99)
LONG = "cat/" + "x" * 300 + ".png"


@pytest.fixture(autouse=True)
def nothing_is_written_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work deep inside an empty folder, where `../..` would leave a trace."""
    working_folder = tmp_path / "a" / "b" / "c"
    working_folder.mkdir(parents=True)
    monkeypatch.chdir(working_folder)
    yield
    ours = ("upload", "upload-out", "upload-blobs")
    others = [
        path
        for path in tmp_path.rglob("*")
        if path.relative_to(tmp_path).parts[0] not in ours and not path.is_dir()
    ]
    assert others == []
    assert not Path("/evil.png").exists()
    assert not any(path.is_symlink() for path in tmp_path.rglob("*"))


class TestNames:
    @pytest.mark.parametrize(
        "name",
        [
            "../../evil.png",
            "cat/../../../evil.png",
            "/evil.png",
            "//evil.png",
            "C:/evil.png",
            "c:evil.png",
            "..\\..\\evil.png",
            "cat\\evil.png",
            "cat/a\nb.png",
            "cat/\x1b[31m.png",
            "cat/\u202egnp.exe.png",
            "a/" * 40 + "evil.png",
            "/".join(["f" * 250] * 5) + "/evil.png",
            LONG,
        ],
    )
    @pytest.mark.parametrize("make", [make_zip, make_tar])
    def test_unsafe_names_are_refused(
        self, archive: Path, make: Callable[[Path, Files], Path], name: str
    ) -> None:
        result = run(make(archive, {name: EVIL, **two_classes()}))
        assert list(result.codes.values()) == ["unsafe_name"]
        assert result.summary["num_samples"] == 4
        (shown,) = result.codes
        assert shown.isprintable()
        assert len(shown) <= 301

    def test_a_zip_name_is_not_cut_at_a_nul(self, archive: Path) -> None:
        data = make_zip(archive, {"cat/evil.png#.txt": EVIL, **two_classes()}).read_bytes()
        archive.write_bytes(data.replace(b"evil.png#", b"evil.png\0"))
        assert run(archive).codes == {"cat/evil.png\\u0000.txt": "unsafe_name"}

    def test_a_tar_name_with_a_nul(self, archive: Path) -> None:
        entry = tar_entry("cat/plain.png", len(EVIL))
        entry.pax_headers = {"path": "cat/evil.png\0.txt"}
        assert run(tar_with(archive, (entry, EVIL))).codes == {
            "cat/evil.png\\u0000.txt": "unsafe_name"
        }

    def test_a_tar_name_that_is_no_utf8(self, archive: Path) -> None:
        entry = tar_entry(os.fsdecode(b"cat/\xff\xfe.png"), len(EVIL))
        result = run(tar_with(archive, (entry, EVIL)))
        assert result.codes == {"cat/\\udcff\\udcfe.png": "unsafe_name"}

    def test_utf8_that_a_zip_does_not_declare_is_still_read(self, archive: Path) -> None:
        files = {"katze/1.png": png(1), "k\u00e4tze/2.png": png(2), **two_classes()}
        make_zip(archive, files)
        edit_zip(archive, "k\u00e4tze/2.png", local={6: b"\0\0"}, central={8: b"\0\0"})
        assert "k\u00e4tze" in run(archive).summary["classes"]

    def test_hidden_and_system_files_are_neither_samples_nor_rejected(self, archive: Path) -> None:
        noise = {
            "__MACOSX/cat/._1.png": b"x",
            "cat/.DS_Store": b"x",
            "cat/Thumbs.db": b"x",
            ".git/config": b"x",
        }
        result = run(make_zip(archive, {**noise, **two_classes()}))
        assert result.codes == {}
        assert result.summary["num_ignored"] == len(noise)

    def test_files_without_a_label(self, archive: Path) -> None:
        result = run(make_zip(archive, {"README.md": b"x", "loose.png": EVIL, **two_classes()}))
        assert result.codes == {"README.md": "no_label", "loose.png": "no_label"}


class TestTwins:
    @pytest.mark.parametrize("kind", ["zip", "tar"])
    def test_a_repeated_name_is_listed_and_the_first_is_taken(
        self, archive: Path, kind: str
    ) -> None:
        if kind == "zip":
            zip_with_twin(archive)
        else:
            entries = [*two_classes().items(), ("cat/1.png", EVIL)]
            tar_of(archive, [(tar_entry(name, len(data)), data) for name, data in entries])
        result = run(archive)
        assert result.codes == {"cat/1.png": "duplicate_name"}
        assert result.paths == list(two_classes())
        assert encoded(result.row(0).resize((12, 10))) != EVIL

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ("cat/A.png", "cat/a.png"),
            ("Cat/7.png", "cat/7.png"),
            ("cat/STRASSE.png", "cat/stra\u00dfe.png"),
            ("cat/\u00e9.png", "cat/e\u0301.png"),
            ("cat/9.png", "./cat//9.png"),
        ],
    )
    @pytest.mark.parametrize("swap", [False, True])
    def test_twins_are_settled_alike_in_any_order(
        self, archive: Path, first: str, second: str, *, swap: bool
    ) -> None:
        pair = {first: png(7), second: png(8)}
        files = dict(reversed(pair.items())) if swap else pair
        result = run(make_zip(archive, {**two_classes(), **files}))
        assert list(result.codes.values()) == ["duplicate_name"]
        assert result.summary["num_samples"] == 5
        if second != "./cat//9.png":  # one and the same name once cleaned: archive order decides
            assert list(result.codes) == [max(first, second, key=lambda n: (_nfc(n), n))]


def _nfc(name: str) -> str:
    return name.replace("e\u0301", "\u00e9")


class TestKinds:
    @pytest.mark.parametrize(
        "kind",
        [
            tarfile.SYMTYPE,
            tarfile.LNKTYPE,
            tarfile.CHRTYPE,
            tarfile.BLKTYPE,
            tarfile.FIFOTYPE,
            b"Z",
        ],
    )
    def test_what_is_no_regular_file_is_refused(self, archive: Path, kind: bytes) -> None:
        result = run(tar_with(archive, (tar_entry("cat/odd.png", kind=kind, link="1.png"), b"")))
        assert result.codes == {"cat/odd.png": "not_a_regular_file"}
        assert result.summary["num_samples"] == 4

    def test_folders_are_no_files(self, archive: Path) -> None:
        result = run(tar_with(archive, (tar_entry("cat", kind=tarfile.DIRTYPE), b"")))
        assert result.codes == {}

    def test_a_file_through_a_link_lands_nowhere(self, archive: Path, tmp_path: Path) -> None:
        link = tar_entry("bird", kind=tarfile.SYMTYPE, link=str(tmp_path))
        through = tar_entry("bird/evil.png", len(EVIL))
        result = run(tar_with(archive, (link, b""), (through, EVIL)))
        assert result.codes == {"bird": "not_a_regular_file"}
        assert "bird/evil.png" in result.paths  # its bytes are as good as any

    def test_a_file_with_holes(self, archive: Path) -> None:
        entry = tar_entry("cat/sparse.png", 512)
        entry.pax_headers = {
            "GNU.sparse.map": "0,0",
            "GNU.sparse.size": str(10**13),
            "GNU.sparse.name": "cat/sparse.png",
        }
        result = run(tar_with(archive, (entry, bytes(512))))
        assert result.codes == {"cat/sparse.png": "not_a_regular_file"}

    def test_setuid_means_nothing(self, archive: Path) -> None:
        entry = tar_entry("cat/3.png", len(EVIL))
        entry.mode = 0o6777
        assert run(tar_with(archive, (entry, EVIL))).codes == {}

    def test_a_link_in_a_zip(self, archive: Path) -> None:
        zip_with_link(archive)
        assert run(archive).codes == {"cat/link.png": "not_a_regular_file"}

    def test_an_encrypted_file(self, archive: Path) -> None:
        zip_with_edited(archive, local={6: b"\x01"}, central={8: b"\x01"})
        assert run(archive).codes == {"cat/3.png": "encrypted"}

    def test_a_compression_that_is_not_read(self, archive: Path) -> None:
        with zipfile.ZipFile(archive, "w") as packed:
            packed.writestr("cat/3.png", EVIL, zipfile.ZIP_BZIP2)
            for name, data in two_classes().items():
                packed.writestr(name, data)
        assert run(archive).codes == {"cat/3.png": "unsupported_compression"}

    def test_a_nested_archive(self, archive: Path, tmp_path: Path) -> None:
        inner = make_zip(tmp_path / "upload-out.zip", two_classes())
        files = {**two_classes(), "cat/more.zip": inner.read_bytes()}
        inner.unlink()
        assert run(make_zip(archive, files)).codes == {"cat/more.zip": "nested_archive"}


class TestContent:
    def test_damaged_bytes_are_that_files_fault(self, archive: Path) -> None:
        files = {"cat/3.png": encoded(picture(7, width=90, height=90)), **two_classes()}
        make_zip(archive, files, compression=zipfile.ZIP_STORED)
        data = bytearray(archive.read_bytes())
        data[200] ^= 0xFF
        archive.write_bytes(data)
        assert run(archive).codes == {"cat/3.png": "unreadable_member"}

    @pytest.mark.parametrize("make", [make_zip, make_tar])
    def test_a_file_that_is_too_large(
        self, archive: Path, make: Callable[[Path, Files], Path]
    ) -> None:
        files = {**two_classes(), "cat/zeros.png": bytes(20_000)}
        result = run(make(archive, files), limits=replace(LIMITS, max_file_bytes=10_000))
        assert result.codes == {"cat/zeros.png": "file_too_large"}
        assert result.summary["num_unpacked_bytes"] < 10_000

    def test_a_zip_member_larger_than_it_says_is_never_unpacked_whole(self, archive: Path) -> None:
        make_zip(archive, {**two_classes(), "cat/3.png": bytes(1_000_000)})
        small = (100).to_bytes(4, "little")
        edit_zip(archive, "cat/3.png", local={22: small}, central={24: small})
        result = run(archive)
        assert result.codes == {"cat/3.png": "unreadable_member"}
        assert result.summary["num_unpacked_bytes"] < 10_000
