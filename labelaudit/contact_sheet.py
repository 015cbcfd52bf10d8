"""`suspects.png`: the top suspects as pictures, each with the label it has and should have."""

import io
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from PIL import Image, ImageDraw, ImageFont

from labelaudit.files import replacing
from labelaudit.schemas import Finding
from labelaudit.terminal import printable

Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont
NUM_TILES = 40
_COLUMNS = 8
_IMAGE_SIDE = 112
_PADDING = 12
_LINE = 18
_TILE_WIDTH = _IMAGE_SIDE + 2 * _PADDING
_TILE_HEIGHT = _IMAGE_SIDE + 2 * _LINE + 2 * _PADDING
_PAPER, _INK, _GREY = "white", "#202020", "#d0d0d0"
_ALARM = "#b00020"


def write_contact_sheet(
    suspects: Sequence[Finding], load_image: Callable[[str], bytes], target: Path
) -> None:
    """Draw up to `NUM_TILES` suspects; `load_image` returns a sample's encoded image."""
    shown = suspects[:NUM_TILES]
    columns = min(_COLUMNS, max(len(shown), 2))
    rows = max(-(-len(shown) // columns), 1)
    sheet = Image.new("RGB", (columns * _TILE_WIDTH, rows * _TILE_HEIGHT), _PAPER)
    draw, font = ImageDraw.Draw(sheet), _load_font()
    if not shown:
        draw.text((_PADDING, _PADDING), "No label was flagged.", _INK, font)
    for position, finding in enumerate(shown):
        row, column = divmod(position, columns)
        corner = (column * _TILE_WIDTH + _PADDING, row * _TILE_HEIGHT + _PADDING)
        picture = _fit(_decode(load_image(finding["sample_id"])))
        sheet.paste(picture, corner)
        _write_caption(draw, font, finding, (corner[0], corner[1] + _IMAGE_SIDE + 3))
    with replacing(target) as temporary:
        sheet.save(temporary, "PNG")


def _decode(data: bytes) -> Image.Image:
    """Return the image, or a grey field where it cannot be read."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError):
        return Image.new("RGB", (1, 1), _GREY)


def _fit(image: Image.Image) -> Image.Image:
    """Scale into a square; small images keep their hard pixels."""
    scale = _IMAGE_SIDE / max(image.size)
    width, height = (max(round(side * scale), 1) for side in image.size)
    method = Image.Resampling.NEAREST if scale > 2 else Image.Resampling.LANCZOS
    square = Image.new("RGB", (_IMAGE_SIDE, _IMAGE_SIDE), _GREY)
    corner = ((_IMAGE_SIDE - width) // 2, (_IMAGE_SIDE - height) // 2)
    square.paste(image.resize((width, height), method), corner)
    return square


def _write_caption(
    draw: ImageDraw.ImageDraw, font: Font, finding: Finding, corner: tuple[int, int]
) -> None:
    left, top = corner
    arrow = _drawable(" → ", font)
    room = (_IMAGE_SIDE - font.getlength(arrow)) / 2
    given, suggested = _names(finding, font)
    # A short name leaves its room to the other one.
    spare = max(room - min(font.getlength(given), font.getlength(suggested)), 0.0)
    names = [_shorten(name, font, room + spare) for name in (given, suggested)]
    draw.text((left, top), f"{names[0]}{arrow}{names[1]}", _INK, font)
    probability = finding["p_mislabeled"]
    if probability is not None:
        draw.text((left, top + _LINE), f"p = {probability:.3f}", _ALARM, font)


def _names(finding: Finding, font: Font) -> tuple[str, str]:
    given, suggested = finding["given_label"], finding["suggested_label"]
    return _drawable(printable(given), font), _drawable(printable(suggested), font)


def _shorten(text: str, font: Font, width: float) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"


def _load_font() -> Font:
    """Return a font of the system with many scripts, else Pillow's own, which has ASCII."""
    try:
        return ImageFont.truetype("DejaVuSans.ttf", 13)
    except OSError:
        return ImageFont.load_default(13)


def _drawable(text: str, font: Font) -> str:
    """Return the text with plainer letters where the font lacks one: é as e, → as >."""
    missing = font.getmask("\uffff")

    def plain(character: str) -> str:
        if bytes(font.getmask(character)) != bytes(missing):
            return character
        if character == "→":
            return ">"
        base = unicodedata.normalize("NFKD", character)[0]
        return base if base.isascii() else "?"

    return "".join(plain(character) for character in text)
