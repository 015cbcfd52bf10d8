"""The same images give the same data set, however they were packed."""

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.core.storage import BlobStore
from tests.worker.stages.ingest.making import (
    Files,
    Result,
    below,
    encoded,
    make_tar,
    make_zip,
    png,
    run,
    two_classes,
)

MIXED_SIZES = {
    **two_classes(),
    "bird/wide.png": png(5, width=300, height=20),
    "bird/deep/tall.png": png(6, width=9, height=41),
    "cat/broken.png": b"no image",
}


def _identity(result: Result) -> dict[str, Any]:
    keys = ("classes", "splits", "content_hash", "num_samples", "num_rejected", "image_size")
    return {key: result.summary[key] for key in keys}


class TestPacking:
    @pytest.fixture
    def zipped(self, tmp_path: Path) -> Result:
        return run(make_zip(tmp_path / "plain.zip", MIXED_SIZES))

    @pytest.mark.parametrize("mode", ["w", "w:gz"])
    def test_tar_gives_what_zip_gives_also_in_another_order(
        self, tmp_path: Path, zipped: Result, mode: str
    ) -> None:
        backwards = dict(reversed(MIXED_SIZES.items()))
        packed = run(make_tar(tmp_path / "a.tar", backwards, mode=mode))
        assert _identity(packed) == _identity(zipped)
        assert packed.samples == zipped.samples
        assert packed.rejected == zipped.rejected
        assert packed.cache == zipped.cache

    @pytest.mark.parametrize("folder", ["wrapper", "two/wrappers", "train", "wrapper/Training"])
    def test_folders_around_change_only_the_paths(
        self, tmp_path: Path, zipped: Result, folder: str
    ) -> None:
        wrapped = run(make_zip(tmp_path / "wrapped.zip", below(folder, MIXED_SIZES)))
        assert _identity(wrapped) == _identity(zipped)
        assert wrapped.cache == zipped.cache
        assert wrapped.paths == [f"{folder}/{path}" for path in zipped.paths]

    def test_other_names_of_the_splits_change_only_the_paths(self, tmp_path: Path) -> None:
        def packed(train: str, test: str) -> Result:
            files = {**below(train, two_classes()), **below(test, {"cat/9.png": png(9)})}
            return run(make_zip(tmp_path / f"{train}.zip", files))

        first, second = packed("train", "test"), packed("Training", "validation")
        assert _identity(first) == _identity(second)
        assert [row["split"] for row in first.samples] != [row["split"] for row in second.samples]

    def test_folder_entries_and_leading_dots_change_nothing(
        self, tmp_path: Path, zipped: Result
    ) -> None:
        files: dict[str, bytes] = {"./": b"", "./cat/": b"", **below(".", MIXED_SIZES)}
        dotted = run(make_zip(tmp_path / "dotted.zip", files, compression=zipfile.ZIP_STORED))
        assert dotted.samples == zipped.samples
        assert _identity(dotted) == _identity(zipped)

    def test_content_hash_sees_label_split_name_and_content(self, tmp_path: Path) -> None:
        base = {**below("train", two_classes()), "test/cat/9.png": png(9)}
        changes: list[Files] = [
            {**base, "train/cat/3.png": png(7)},
            {**base, "train/cat/1.png": png(7)},
            {**below("train", two_classes()), "test/dog/9.png": png(9)},
            {**below("train", two_classes()), "train/cat/9.png": png(9)},
            {**below("train", two_classes()), "test/cat/8.png": png(9)},
        ]
        hashes = [
            run(make_zip(tmp_path / f"{number}.zip", files)).summary["content_hash"]
            for number, files in enumerate([base, *changes])
        ]
        assert len(set(hashes)) == len(hashes)


class TestOutput:
    def test_a_sample_says_all_that_the_tables_need(self, archive: Path) -> None:
        large = encoded(Image.new("RGB", (640, 320), "teal"), "JPEG")
        result = run(make_zip(archive, {**two_classes(), "ant/big.jpg": large}))
        store = BlobStore(result.blob_dir)
        first, second = result.samples[:2]
        assert first["path"] == "ant/big.jpg"
        assert (first["split"], first["label"]) == ("train", 0)
        assert (first["width"], first["height"]) == (640, 320)
        assert first["media_type"] == "image/jpeg"
        assert store.load(first["sha256"]) == large
        assert first["num_bytes"] == len(large)
        thumbnail = store.load(first["thumb_sha256"])
        assert len(thumbnail) == first["thumb_num_bytes"]
        with Image.open(io.BytesIO(thumbnail)) as small:
            assert (small.format, small.size) == ("WEBP", (256, 128))
        assert second["thumb_sha256"] is None
        assert second["thumb_num_bytes"] is None

    def test_rows_of_the_cache_are_the_samples_in_order(self, archive: Path) -> None:
        files = {f"c{n % 2}/{n}.png": png(n * 10, width=16, height=16) for n in range(20)}
        result = run(make_zip(archive, dict(reversed(files.items()))))
        assert result.summary["image_size"] == 16
        assert result.paths == sorted(files)
        for position, path in enumerate(result.paths):
            assert encoded(result.row(position)) == files[path]

    @pytest.mark.parametrize(
        ("side", "expected"), [(5, 8), (8, 8), (28, 32), (32, 32), (33, 40), (90, 96), (500, 192)]
    )
    def test_size_is_chosen_from_the_data(self, archive: Path, side: int, expected: int) -> None:
        files = {
            f"{label}/{n}.png": png(n, width=side, height=side // 2 + 1)
            for label in "ab"
            for n in range(3)
        }
        assert run(make_zip(archive, files)).summary["image_size"] == expected

    def test_size_may_be_given(self, archive: Path) -> None:
        result = run(make_zip(archive, two_classes()), image_size=24)
        assert result.summary["image_size"] == 24
        assert len(result.cache) == 4 * 24 * 24 * 3

    def test_holds_nothing_else(self, archive: Path) -> None:
        result = run(make_zip(archive, two_classes()))
        assert sorted(path.name for path in result.out_dir.iterdir()) == [
            "images-16.u8",
            "rejected.jsonl",
            "samples.jsonl",
            "summary.json",
        ]

    def test_progress_ends_at_one(self, archive: Path) -> None:
        events = run(make_zip(archive, two_classes())).events
        assert events[-1][0] == 1.0
        assert events[-1][1] > 0
