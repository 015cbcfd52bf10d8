"""Small JPEGs without metadata: decoded without looking at their headers in Python.

For a picture of 32 x 32 pixels, opening the file costs Pillow as much as decoding it does. Whatever
is not plain, or not whole, is left to the usual way, which also says what is wrong.
"""

import struct
from functools import lru_cache

from PIL import Image

_SEGMENT = struct.Struct(">BBH")
_FRAME = struct.Struct(">BHHB")
"""Bits a sample, height, width, number of colours."""
_START = b"\xff\xd8"
_MARK = 0xFF
_SCAN = b"\xff\xda"
_MAX_HEADER_BYTES = 4096
_FRAMES = frozenset({0xC0, 0xC2})
"""Baseline and progressive."""
_WITHOUT_MEANING = frozenset({0xC4, 0xDB, 0xDD, 0xE0, 0xFE})
"""Tables, the JFIF header and comments: nothing that turns or recolours the picture."""


def decode_plain_jpeg(data: bytes, *, max_side: int, max_pixels: int) -> Image.Image | None:
    """Return the whole picture in RGB; None where the file is anything but plain, small and whole.

    As for every file, Pillow's decoder reads all of the data.
    """
    size = _plain_size(data)
    if size is None or max(size) > max_side or not 0 < size[0] * size[1] <= max_pixels:
        return None
    try:
        return Image.frombytes("RGB", size, data, "jpeg", "RGB", "")
    except Exception:  # noqa: BLE001 - hostile bytes raise nearly anything; the usual way names it
        return None


def _plain_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height, from a header that holds one frame of three colours."""
    num_bytes = data.find(_SCAN, 0, _MAX_HEADER_BYTES)
    return _size_in(data[:num_bytes]) if num_bytes > 0 else None


@lru_cache(maxsize=256)  # images of one origin have the same header
def _size_in(header: bytes) -> tuple[int, int] | None:
    if not header.startswith(_START):
        return None
    size, at = None, len(_START)
    while at + _SEGMENT.size <= len(header):
        mark, kind, num_bytes = _SEGMENT.unpack_from(header, at)
        at += 2 + num_bytes
        if mark != _MARK or at > len(header):
            return None
        if kind in _FRAMES and size is None and num_bytes >= 2 + _FRAME.size:
            bits, height, width, num_colours = _FRAME.unpack_from(header, at - num_bytes + 2)
            size = (width, height)
            if (bits, num_colours) != (8, 3):
                return None
        elif kind not in _WITHOUT_MEANING:
            return None
    return size if at == len(header) else None
