from pathlib import Path
from typing import cast

import pytest
from PIL import Image, ImageFont

from labelaudit import results
from labelaudit.results import (
    IMAGE_SIDE,
    NUM_TILES,
    PADDING,
    TITLE_HEIGHT,
    write_contact_sheet,
)
from labelaudit.schemas import Finding
from tests.labelaudit.fake_service import finding, png
from tests.support.unlike_pixels import UNLIKE_THEIR_PIXELS
from worker.stages.ingest.images import decode_image

NAMES = ["猫", "Übergröße", "x" * 500, "\x1b[31m", "", "🐈‍⬛", "עברית"]


def draw(count: int, target: Path, image: bytes, **changes: object) -> tuple[int, int]:
    findings = cast("list[Finding]", [finding(rank, **changes) for rank in range(1, count + 1)])
    write_contact_sheet(findings, lambda _sample_id: image, target)
    with Image.open(target) as sheet:
        sheet.load()
        return sheet.size


def test_the_sheet_grows_with_the_suspects_up_to_its_limit(tmp_path: Path) -> None:
    few, full, more = (draw(count, tmp_path / "s.png", png()) for count in (3, NUM_TILES, 99))
    assert few < full == more


def test_a_sheet_without_anything_judged_says_so(tmp_path: Path) -> None:
    width, height = draw(0, tmp_path / "s.png", png())
    assert width * height > 0
    assert _has_ink(tmp_path / "s.png", below=0)


def test_where_none_is_flagged_the_most_suspicious_are_shown_below_a_title(tmp_path: Path) -> None:
    flagged = draw(3, tmp_path / "flagged.png", png())
    others = draw(3, tmp_path / "others.png", png(), flagged=False)
    assert others[0] >= flagged[0]
    assert others[1] == flagged[1] + TITLE_HEIGHT
    assert _has_ink(tmp_path / "others.png", below=0, above=TITLE_HEIGHT)
    with Image.open(tmp_path / "others.png") as sheet:
        assert sheet.getpixel((60, TITLE_HEIGHT + 60)) == (200, 200, 200)


@pytest.mark.parametrize("name", UNLIKE_THEIR_PIXELS)
def test_images_are_drawn_as_viewers_show_them(tmp_path: Path, name: str) -> None:
    data, seen = UNLIKE_THEIR_PIXELS[name]
    decoded = decode_image(data, image_size=8, max_pixels=1000)
    assert decoded.thumbnail is not None
    draw(1, tmp_path / "s.png", decoded.thumbnail)
    scale = IMAGE_SIDE / max(decoded.width, decoded.height)
    left = PADDING + (IMAGE_SIDE - scale * decoded.width) / 2
    top = PADDING + (IMAGE_SIDE - scale * decoded.height) / 2
    with Image.open(tmp_path / "s.png") as sheet:
        for (x, y), colour in seen.items():
            place = (round(left + (x + 0.5) * scale), round(top + (y + 0.5) * scale))
            assert sheet.getpixel(place) == colour


def _has_ink(path: Path, *, below: int, above: int | None = None) -> bool:
    """Tell whether anything is written between two heights."""
    with Image.open(path) as sheet:
        strip = sheet.convert("L").crop((0, below, sheet.width, above or sheet.height))
    return any(shade < 100 for shade in strip.tobytes())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("system_font", [True, False])
def test_any_class_name_can_be_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, *, system_font: bool
) -> None:
    if not system_font:
        monkeypatch.setattr(results, "_load_font", lambda: ImageFont.load_default(13))
    draw(2, tmp_path / "s.png", png(), given_label=name, suggested_label=name)


def test_an_unreadable_image_is_a_grey_field(tmp_path: Path) -> None:
    draw(1, tmp_path / "s.png", b"not an image", p_mislabeled=None)
    with Image.open(tmp_path / "s.png") as sheet:
        assert sheet.getpixel((60, 60)) == (208, 208, 208)


def test_small_images_keep_hard_pixels_and_shape(tmp_path: Path) -> None:
    image = Image.new("L", (8, 4), 0)
    image.putpixel((0, 0), 255)
    image.save(tmp_path / "i.png")
    draw(1, tmp_path / "s.png", (tmp_path / "i.png").read_bytes())
    with Image.open(tmp_path / "s.png") as sheet:
        colours = {sheet.getpixel((x, y)) for x in range(12, 124) for y in range(40, 96)}
    assert colours == {(0, 0, 0), (255, 255, 255)}
