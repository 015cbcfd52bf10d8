"""Small JPEGs without metadata: the short way gives what the usual way would."""

import io
import random
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from tests.worker.ingest.making import encoded, pattern
from worker.ingest.plain_jpeg import decode_plain_jpeg

PLAIN: dict[str, dict[str, Any]] = {
    "baseline": {},
    "progressive": {"progressive": True},
    "without subsampling": {"subsampling": 0},
    "with restarts": {"restart_marker_rows": 1},
    "with a comment": {"comment": b"a comment"},
}


def jpeg(picture: Image.Image | None = None, **options: Any) -> bytes:
    return encoded(picture or pattern(1, width=40, height=30), "JPEG", **options)


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return jpeg(exif=exif)


OTHERS: dict[str, Callable[[], bytes]] = {
    "grey": lambda: jpeg(pattern(1).convert("L")),
    "for print": lambda: jpeg(pattern(1).convert("CMYK")),
    "turned": turned,
    "cut off": lambda: jpeg()[:-20],
    "only a header": lambda: jpeg()[:200],
    "too large": lambda: jpeg(pattern(1, width=101, height=8)),
    "of too many pixels": lambda: jpeg(pattern(1, width=90, height=60)),
    "no JPEG": lambda: encoded(pattern(1)),
    "empty": lambda: b"",
}


def short_way(data: bytes) -> Image.Image | None:
    return decode_plain_jpeg(data, max_side=100, max_pixels=5000)


def usual_way(data: bytes) -> Image.Image | None:
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            return image.convert("RGB")
    except Exception:  # noqa: BLE001 - changed bytes make it raise nearly anything
        return None


@pytest.mark.parametrize("kind", PLAIN)
def test_gives_the_same_pixels(kind: str) -> None:
    data = jpeg(**PLAIN[kind])
    short, usual = short_way(data), usual_way(data)
    assert short is not None
    assert usual is not None
    assert (short.size, short.tobytes()) == (usual.size, usual.tobytes())


@pytest.mark.parametrize("kind", OTHERS)
def test_leaves_to_the_usual_way(kind: str) -> None:
    assert short_way(OTHERS[kind]()) is None


def test_never_takes_what_the_usual_way_refuses() -> None:
    generator = random.Random(4)  # noqa: S311 - not for secrets
    bases = [jpeg(**options) for options in PLAIN.values()]
    num_taken = 0
    for _ in range(500):
        data = bytearray(generator.choice(bases))
        data[generator.randrange(min(700, len(data)))] = generator.randrange(256)
        short, usual = short_way(bytes(data)), usual_way(bytes(data))
        if short is not None:
            num_taken += 1
            assert usual is not None
            assert (short.size, short.tobytes()) == (usual.size, usual.tobytes())
    assert 100 < num_taken < 500
