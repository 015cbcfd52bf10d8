"""Small image files whose pixels, as they are stored, are not what a viewer shows."""

import io
import struct

from PIL import Image

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)
Seen = dict[tuple[int, int], tuple[int, int, int]]


def _encoded(image: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


def _turned() -> bytes:
    """Stored lying on its side: upright it is 4 wide, 8 high, and red at the top."""
    stored = Image.new("RGB", (8, 4), BLUE)
    stored.paste(RED, (0, 0, 4, 4))
    exif = Image.Exif()
    exif[0x112] = 6
    return _encoded(stored, exif=exif)


def _clear() -> bytes:
    """Black where it is transparent, as most programs write it."""
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    image.paste((*RED, 255), (0, 0, 4, 8))
    return _encoded(image)


def _clear_palette() -> bytes:
    image = Image.new("P", (8, 8), 0)
    image.putpalette([0, 0, 0, *RED])
    image.paste(1, (0, 0, 4, 8))
    return _encoded(image, transparency=0)


def _deep_grey() -> bytes:
    row = struct.pack("<8H", *[0x8080] * 4, *[0] * 4)
    return _encoded(Image.frombytes("I;16", (8, 8), row * 8))


UNLIKE_THEIR_PIXELS: dict[str, tuple[bytes, Seen]] = {
    "turned": (_turned(), {(1, 1): RED, (1, 6): BLUE}),
    "clear": (_clear(), {(1, 1): RED, (6, 6): WHITE}),
    "clear-palette": (_clear_palette(), {(1, 1): RED, (6, 6): WHITE}),
    "deep-grey": (_deep_grey(), {(1, 1): (128, 128, 128), (6, 6): (0, 0, 0)}),
}
"""Each file, and what a viewer shows at some of its pixels."""
