"""Pictures that stand in a data set more than once, as equal or as changed files."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from tests.worker.stages.ingest.making import Result, below, encoded, make_zip, run
from worker.stages.ingest.pixel_cache import Hasher, near_pairs


def scene(number: int, *, side: int = 64) -> Image.Image:
    """Smooth shapes, as in a photograph."""
    generator = np.random.default_rng(number)
    small = generator.integers(0, 256, (5, 5, 3), np.uint8)
    return Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC)


def png(picture: Image.Image) -> bytes:
    return encoded(picture)


def base() -> dict[str, bytes]:
    return {
        f"{label}/{number}.png": png(scene(10 * place + number))
        for place, label in enumerate(("cat", "dog"))
        for number in range(4)
    }


def colour_of(picture: Image.Image) -> tuple[int, ...]:
    return tuple(int(value) for value in np.asarray(picture)[9, 9])


CHANGES: dict[str, Callable[[Image.Image], bytes]] = {
    "compressed": lambda picture: encoded(picture, "JPEG", quality=75),
    "compressed hard": lambda picture: encoded(picture, "JPEG", quality=30),
    "smaller": lambda picture: png(picture.resize((45, 45))),
    "larger": lambda picture: png(picture.resize((200, 150))),
    "lighter": lambda picture: png(ImageEnhance.Brightness(picture).enhance(1.15)),
    "blurred": lambda picture: png(picture.filter(ImageFilter.GaussianBlur(1))),
    "in another format": lambda picture: encoded(picture, "WEBP", quality=80),
}
OTHERS: dict[str, Callable[[Image.Image], bytes]] = {
    "turned": lambda picture: png(picture.transpose(Image.Transpose.ROTATE_90)),
    "negative": lambda picture: png(picture.point(lambda value: 255 - value)),
    "flat": lambda picture: png(Image.new("RGB", picture.size, colour_of(picture))),
}


def ingested(archive: Path, **more: bytes) -> Result:
    return run(make_zip(archive, {**base(), **more}), image_size=32)


class TestNearDuplicates:
    @pytest.mark.parametrize("change", CHANGES)
    def test_are_found_after(self, archive: Path, change: str) -> None:
        result = ingested(archive, **{"cat/copy.x": CHANGES[change](scene(1))})
        (group,) = result.summary["duplicates"]
        assert (group["kind"], group["paths"]) == ("near", ["cat/1.png", "cat/copy.x"])
        assert result.summary["num_near_duplicates"] == 2
        assert result.summary["num_duplicates"] == 0
        assert result.summary["warnings"] == []

    @pytest.mark.parametrize("change", OTHERS)
    def test_are_not_seen_in_what_is(self, archive: Path, change: str) -> None:
        others = {f"cat/other{n}.png": OTHERS[change](scene(n)) for n in range(3)}
        result = ingested(archive, **others)
        assert result.summary["num_near_duplicates"] == 0

    def test_with_different_labels_are_a_contradiction(self, archive: Path) -> None:
        result = ingested(archive, **{"dog/copy.jpg": CHANGES["compressed"](scene(1))})
        (group,) = result.summary["duplicates"]
        assert (group["labels"], group["conflicting"]) == (["cat", "dog"], True)
        assert result.summary["num_conflicting"] == 2
        assert result.summary["warnings"] == [
            "1 image stands with only small changes under different labels."
        ]

    def test_in_both_splits_are_a_leak(self, archive: Path) -> None:
        files = {
            **below("train", base()),
            "test/cat/9.jpg": CHANGES["compressed"](scene(1)),
            "test/cat/8.png": png(scene(99)),
        }
        result = run(make_zip(archive, files), image_size=32)
        assert result.summary["num_leaking"] == 2
        assert {row["path"] for row in result.samples if row.get("leaking")} == {
            "test/cat/9.jpg",
            "train/cat/1.png",
        }

    def test_and_equal_files_are_one_group(self, archive: Path) -> None:
        copies = {"cat/a.png": png(scene(1)), "cat/b.jpg": CHANGES["compressed"](scene(1))}
        result = ingested(archive, **copies)
        (group,) = result.summary["duplicates"]
        assert group["num_samples"] == 3
        kinds: dict[str, Any] = {row["path"]: row.get("duplicate_kind") for row in result.samples}
        assert kinds["cat/1.png"] == kinds["cat/a.png"] == "exact"
        assert (kinds["cat/b.jpg"], kinds["cat/2.png"]) == ("near", None)
        positions = {row.get("duplicate_group") for row in result.samples}
        assert positions == {None, result.paths.index("cat/1.png")}


SAVED_AGAIN: dict[str, Callable[[Image.Image], bytes]] = {
    "compressed more": lambda picture: encoded(picture, "PNG", compress_level=1),
    "in another format": lambda picture: encoded(picture, "WEBP", lossless=True),
    "with a palette": lambda picture: png(picture.quantize(256)),
}


class TestVerySamePicture:
    def pictures(self, result: Result) -> dict[str, int | None]:
        return {
            row["path"]: row.get("picture") for row in result.samples if "duplicate_group" in row
        }

    def test_of_equal_files_has_the_lowest_position(self, archive: Path) -> None:
        result = ingested(archive, **{"cat/a.png": png(scene(1)), "cat/b.png": png(scene(1))})
        first = result.paths.index("cat/1.png")
        assert self.pictures(result) == dict.fromkeys(
            ("cat/1.png", "cat/a.png", "cat/b.png"), first
        )

    @pytest.mark.parametrize("change", SAVED_AGAIN)
    def test_is_known_by_its_pixels_where_the_labels_differ(
        self, archive: Path, change: str
    ) -> None:
        again = SAVED_AGAIN[change]
        few_colours = scene(1).quantize(200).convert("RGB")
        files = {"cat/first.png": png(few_colours), "dog/again.x": again(few_colours)}
        result = ingested(archive, **files)
        first = result.paths.index("cat/first.png")
        found = self.pictures(result)
        assert (found["cat/first.png"], found["dog/again.x"]) == (first, first)
        assert found.get("cat/1.png") is None

    @pytest.mark.parametrize("side", [64, 900])
    def test_of_a_photo_with_other_metadata(self, archive: Path, side: int) -> None:
        picture = scene(50, side=side)
        exif = Image.Exif()
        exif[0x010E] = "another description"
        files = {
            "cat/first.jpg": encoded(picture, "JPEG", quality=90),
            "dog/again.jpg": encoded(picture, "JPEG", quality=90, exif=exif),
            "dog/compressed.jpg": encoded(picture, "JPEG", quality=60),
        }
        found = self.pictures(ingested(archive, **files))
        assert found["cat/first.jpg"] == found["dog/again.jpg"] is not None
        assert found["dog/compressed.jpg"] is None

    def test_is_not_what_only_looks_so_when_it_is_small(self, archive: Path) -> None:
        picture = scene(50, side=640)
        scratched = picture.copy()
        red, green, blue = picture.getpixel((320, 320))  # type: ignore[misc]  # it is RGB
        scratched.putpixel((320, 320), (red ^ 1, green, blue))
        files = {"cat/whole.png": png(picture), "dog/scratched.png": png(scratched)}
        result = ingested(archive, **files)
        assert result.summary["num_conflicting"] == 2
        assert self.pictures(result) == {"cat/whole.png": None, "dog/scratched.png": None}


def test_each_copy_in_a_large_set_is_found_and_nothing_else() -> None:
    side, num_scenes, num_copies = 16, 5_000, 500
    scenes = np.stack([np.asarray(scene(number, side=side)) for number in range(num_scenes)])
    noise = np.random.default_rng(0).integers(-4, 5, (num_copies, side, side, 3))
    copies = np.clip(scenes[:num_copies].astype(np.int64) + noise, 0, 255).astype(np.uint8)
    pixels = np.concatenate([scenes, copies]).reshape(-1, side * side * 3)
    hasher = Hasher(side)
    hasher.add(pixels.tobytes())
    pairs = near_pairs(hasher.hashes(), pixels, side, lambda: None).tolist()
    assert pairs == [[number, num_scenes + number] for number in range(num_copies)]


def test_hashes_do_not_depend_on_the_pieces() -> None:
    pixels = random.Random(1).randbytes(700 * 16 * 16 * 3)  # noqa: S311 - pictures
    whole, pieces = Hasher(16), Hasher(16)
    whole.add(pixels)
    for start in range(0, len(pixels), 1000):
        pieces.add(pixels[start : start + 1000])
    assert len(whole.hashes()) == 700
    assert np.array_equal(whole.hashes(), pieces.hashes())
