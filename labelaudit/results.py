"""The files that an audit writes for people: `findings.csv` and `suspects.png`."""

import csv
import io
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO, TypeAlias

from PIL import Image, ImageDraw, ImageFont

from labelaudit.files import replacing
from labelaudit.schemas import Finding
from labelaudit.terminal import printable

COLUMNS = (
    "sample_id",
    "path",
    "given_label",
    "suggested_label",
    "suggested_confidence",
    "p_mislabeled",
    "flagged",
    "rank",
)
# A cell that starts so is run as a formula when a spreadsheet opens the file (CWE-1236).
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")
Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont
NUM_TILES = 40
_COLUMNS = 8
IMAGE_SIDE = 112
PADDING = 12
_LINE = 18
TITLE_HEIGHT = _LINE + 2 * PADDING
_TILE_WIDTH = IMAGE_SIDE + 2 * PADDING
_TILE_HEIGHT = IMAGE_SIDE + 2 * _LINE + 2 * PADDING
_PAPER, _INK, _GREY = "white", "#202020", "#d0d0d0"
_ALARM = "#b00020"
_NONE_FLAGGED = "No label was flagged. These are the most suspicious:"
_NONE_JUDGED = "No label could be judged."


def write_findings(findings: Iterable[Finding], target: Path, *, num_top: int) -> list[Finding]:
    """Write all findings as they arrive; return the worst.

    Those are the first flagged ones; where none is flagged, the first that could be judged.
    """
    flagged: list[Finding] = []
    judged: list[Finding] = []
    with replacing(target) as temporary, _open_csv(temporary) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for finding in findings:
            writer.writerow(_row(finding))
            if finding["flagged"] and len(flagged) < num_top:
                flagged.append(finding)
            if finding["p_mislabeled"] is not None and len(judged) < num_top:
                judged.append(finding)
    return flagged or judged


def labels_of(finding: Finding) -> list[str]:
    """Return the given label and, where it is another one, the suggested label."""
    return list(dict.fromkeys((finding["given_label"], finding["suggested_label"])))


def read_flagged(source: Path) -> Iterator[tuple[str, bool]]:
    """Yield path and flag of each row."""
    with source.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield row["path"], row["flagged"] == "true"


def safe_cell(text: str) -> str:
    """Return the text so that no spreadsheet reads it as a formula."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


@contextmanager
def _open_csv(path: Path) -> Iterator[TextIO]:
    with path.open("w", encoding="utf-8", newline="") as file:
        yield file


def _row(finding: Finding) -> list[object]:
    p_mislabeled = finding["p_mislabeled"]
    return [
        finding["sample_id"],
        safe_cell(finding["path"]),
        safe_cell(finding["given_label"]),
        safe_cell(finding["suggested_label"]),
        finding["suggested_confidence"],
        "" if p_mislabeled is None else p_mislabeled,
        str(finding["flagged"]).lower(),
        finding["rank"],
    ]


def write_contact_sheet(
    suspects: Sequence[Finding], load_image: Callable[[str], bytes], target: Path
) -> None:
    """Draw up to `NUM_TILES` of the worst; `load_image` returns a sample's encoded image."""
    shown, font = suspects[:NUM_TILES], _load_font()
    title = _title(shown)
    columns = min(_COLUMNS, max(len(shown), 2))
    top = TITLE_HEIGHT if title else 0
    width = max(columns * _TILE_WIDTH, round(font.getlength(title)) + 2 * PADDING)
    sheet = Image.new("RGB", (width, top + -(-len(shown) // columns) * _TILE_HEIGHT), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((PADDING, PADDING), title, _INK, font)
    for position, finding in enumerate(shown):
        row, column = divmod(position, columns)
        corner = (column * _TILE_WIDTH + PADDING, top + row * _TILE_HEIGHT + PADDING)
        picture = _fit(_decode(load_image(finding["sample_id"])))
        sheet.paste(picture, corner)
        _write_caption(draw, font, finding, (corner[0], corner[1] + IMAGE_SIDE + 3))
    with replacing(target) as temporary:
        sheet.save(temporary, "PNG")


def _title(shown: Sequence[Finding]) -> str:
    """Return the title of a sheet without flagged samples, else nothing."""
    if not shown:
        return _NONE_JUDGED
    return "" if shown[0]["flagged"] else _NONE_FLAGGED


def _decode(data: bytes) -> Image.Image:
    """Return the image, or a grey field where it cannot be read."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError):
        return Image.new("RGB", (1, 1), _GREY)


def _fit(image: Image.Image) -> Image.Image:
    """Scale into a square; small images keep their hard pixels."""
    scale = IMAGE_SIDE / max(image.size)
    width, height = (max(round(side * scale), 1) for side in image.size)
    method = Image.Resampling.NEAREST if scale > 2 else Image.Resampling.LANCZOS
    square = Image.new("RGB", (IMAGE_SIDE, IMAGE_SIDE), _GREY)
    corner = ((IMAGE_SIDE - width) // 2, (IMAGE_SIDE - height) // 2)
    square.paste(image.resize((width, height), method), corner)
    return square


def _write_caption(
    draw: ImageDraw.ImageDraw, font: Font, finding: Finding, corner: tuple[int, int]
) -> None:
    left, top = corner
    draw.text((left, top), _caption(finding, font), _INK, font)
    probability = finding["p_mislabeled"]
    if probability is not None:
        draw.text((left, top + _LINE), f"p = {probability:.3f}", _ALARM, font)


def _caption(finding: Finding, font: Font) -> str:
    names = [_drawable(printable(name), font) for name in labels_of(finding)]
    if len(names) == 1:
        return _shorten(names[0], font, IMAGE_SIDE)
    arrow = _drawable(" → ", font)
    room = (IMAGE_SIDE - font.getlength(arrow)) / 2
    # A short name leaves its room to the other one.
    spare = max(room - min(map(font.getlength, names)), 0.0)
    return arrow.join(_shorten(name, font, room + spare) for name in names)


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
    """Replace characters that the font lacks by plainer ones: é by e, → by >."""
    missing = font.getmask("\uffff")

    def plain(character: str) -> str:
        if bytes(font.getmask(character)) != bytes(missing):
            return character
        if character == "→":
            return ">"
        base = unicodedata.normalize("NFKD", character)[0]
        return base if base.isascii() else "?"

    return "".join(plain(character) for character in text)
