"""Decoding one image: its check, its row in the cache and its thumbnail."""

import io
from typing import Any, NamedTuple

from PIL import ExifTags, Image, UnidentifiedImageError

from worker.files.errors import RefusedFileError, RejectCode
from worker.files.magic_bytes import archive_kind, image_kind, unsupported_kind
from worker.files.names import printable

_MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",  # a JPEG with a second picture behind it; many phones write these
    "PNG": "image/png",
    "WEBP": "image/webp",
    "BMP": "image/bmp",
}
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
"""The formats that Pillow may try; others can run programs (EPS) or open other files."""
_MAX_SIDE = 65_500
"""The most that a JPEG can have."""
_MAX_JPEG_SCANS = 500
"""libjpeg-turbo advises this against progressive images that take hours to decode."""
_JPEG_START = b"\xff\xd8"
_SCAN_MARKER = b"\xff\xda"  # cannot occur inside entropy-coded data

_THUMBNAIL_SIDE = 256
_THUMBNAIL_OPTIONS: dict[str, Any] = {
    "quality": 80,
    "method": 1,  # a third of the default's time, for files no larger
    "icc_profile": b"",  # some releases of Pillow carry it over from the source
}
_DRAFT_SIDE = 2 * _THUMBNAIL_SIDE
"""Large JPEGs are decoded at a reduced size, at least this one, which is faster."""
_REDUCING_GAP = 2.0
_OPAQUE = 255
_AS_RGBA = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA"})
"""Modes of which this keeps everything, so that a palette is no difference."""

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SWAPS_SIDES = frozenset(
    {
        Image.Transpose.TRANSPOSE,
        Image.Transpose.ROTATE_270,
        Image.Transpose.TRANSVERSE,
        Image.Transpose.ROTATE_90,
    }
)


class DecodedImage(NamedTuple):
    """An image as a viewer shows it: upright, its first frame, on white."""

    media_type: str
    width: int
    height: int
    row: bytes
    """RGB pixels, squashed to the square of the cache."""
    thumbnail: bytes | None
    """WebP without metadata; None where the file itself serves as thumbnail."""


def decode_image(data: bytes, *, image_size: int, max_pixels: int) -> DecodedImage:
    """Decode one file.

    Raises:
        RefusedFileError: The file is no image that is taken.
    """
    with _opened(data, max_pixels) as image:
        try:
            return _decoded(image, image_size)
        except Exception as error:
            raise _refusal_of_broken(data, error) from error


def every_pixel(data: bytes, *, max_pixels: int) -> tuple[str, tuple[int, int], bytes]:
    """Return (mode, size, pixels) of an image as it stands upright, with nothing lost.

    Raises:
        RefusedFileError: The file is no image that is taken.
    """
    with _opened(data, max_pixels) as image:
        try:
            image.load()
            turn = _turn(image)
            picture = image.convert("RGBA") if image.mode in _AS_RGBA else image
            if turn is not None:
                picture = picture.transpose(turn)
            return picture.mode, picture.size, picture.tobytes()
        except Exception as error:
            raise _refusal_of_broken(data, error) from error


def longer_side(data: bytes, *, max_pixels: int) -> int:
    """Return the longer side, from the image's header alone.

    Raises:
        RefusedFileError: The file is no image that is taken.
    """
    with _opened(data, max_pixels) as image:
        return max(image.size)


def _opened(data: bytes, max_pixels: int) -> Image.Image:
    """Read the header of an image and check it against the limits."""
    if data.startswith(_JPEG_START) and data.count(_SCAN_MARKER) > _MAX_JPEG_SCANS:
        detail = f"A JPEG of more than {_MAX_JPEG_SCANS} scans."
        raise RefusedFileError(RejectCode.BROKEN_IMAGE, detail)
    too_large = RefusedFileError(
        RejectCode.IMAGE_TOO_LARGE, f"The image has more than {max_pixels:,} pixels."
    )
    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
    except UnidentifiedImageError as error:
        raise _refusal_of_unknown(data) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise too_large from error
    except Exception as error:
        # Hostile bytes make Pillow's parsers raise nearly anything; none of it may end the ingest.
        raise _refusal_of_broken(data, error) from error
    if image.width * image.height > max_pixels or max(image.size) > _MAX_SIDE:
        raise too_large
    return image


def _decoded(image: Image.Image, image_size: int) -> DecodedImage:
    """Decode the pixels once; the cache's row and the thumbnail are made from them."""
    width, height = image.size
    scale = max(width, height) / _DRAFT_SIDE
    if scale > 1:
        image.draft(None, (max(1, int(width / scale)), max(1, int(height / scale))))
    image.load()
    picture = _as_rgb(image)
    turn = _turn(image)
    if turn is not None:
        picture = picture.transpose(turn)
        if turn in _SWAPS_SIDES:
            width, height = height, width
    row = _row(picture, image_size)
    needs_thumbnail = (
        max(width, height) > _THUMBNAIL_SIDE or turn is not None or not _stores_what_is_seen(image)
    )
    thumbnail = _thumbnail(picture) if needs_thumbnail else None
    return DecodedImage(_MEDIA_TYPES[image.format or ""], width, height, row, thumbnail)


def _turn(image: Image.Image) -> Image.Transpose | None:
    """Return the transposition that makes the picture upright; None for damaged EXIF data.

    The image must be loaded: else Pillow loads it here, and its errors would be lost.
    """
    try:
        return _UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 - the parser raises nearly anything; the pixels may be fine
        return None


def _stores_what_is_seen(image: Image.Image) -> bool:
    """Tell whether a viewer without transparency and 16 bits shows the same picture."""
    if image.mode.startswith("I"):
        return False
    if not image.has_transparency_data:
        return True
    alpha, _ = image.convert("RGBA").getchannel("A").getextrema()
    return alpha == _OPAQUE


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits of grey, which Pillow would clip, not scale
        return image.point(lambda value: value * (1 / 257)).convert("L").convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        paper = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(paper, layer).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")  # converting would copy it


def _row(picture: Image.Image, image_size: int) -> bytes:
    target = (image_size, image_size)
    if picture.size != target:
        picture = picture.resize(target, Image.Resampling.LANCZOS, reducing_gap=_REDUCING_GAP)
    return picture.tobytes()


def _thumbnail(picture: Image.Image) -> bytes:
    """Shrink the picture in place and encode it; a small picture is encoded without loss."""
    is_small = max(picture.size) <= _THUMBNAIL_SIDE
    picture.thumbnail((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE), reducing_gap=_REDUCING_GAP)
    file = io.BytesIO()
    picture.save(file, "WEBP", lossless=is_small, **_THUMBNAIL_OPTIONS)
    return file.getvalue()


def _refusal_of_unknown(data: bytes) -> RefusedFileError:
    """Return why a file is refused that Pillow does not recognise."""
    if archive := archive_kind(data):
        detail = f"A {archive} archive; archives inside the archive are not opened."
        return RefusedFileError(RejectCode.NESTED_ARCHIVE, detail)
    if other := unsupported_kind(data):
        detail = f"{other} is not supported; use JPEG, PNG, WebP or BMP."
        return RefusedFileError(RejectCode.UNSUPPORTED_FORMAT, detail)
    if image_kind(data):
        return _refusal_of_broken(data, ValueError("its header is damaged"))
    detail = "The file is no image." if data else "The file is empty."
    return RefusedFileError(RejectCode.NOT_AN_IMAGE, detail)


def _refusal_of_broken(data: bytes, error: Exception) -> RefusedFileError:
    """Return why a file is refused that begins like an image but cannot be decoded."""
    if isinstance(error, MemoryError):
        detail = "Decoding the image takes more memory than allowed."
        return RefusedFileError(RejectCode.IMAGE_TOO_LARGE, detail)
    if "truncated" in str(error).lower() or _is_cut_off(data):
        return RefusedFileError(RejectCode.TRUNCATED_IMAGE, "The end of the image is missing.")
    reason = printable(str(error)).rstrip(". ") or type(error).__name__
    return RefusedFileError(RejectCode.BROKEN_IMAGE, f"The image cannot be decoded: {reason}.")


def _is_cut_off(data: bytes) -> bool:
    """Tell whether the end of an image is missing, by its stated length or its end mark."""
    kind = image_kind(data)
    if kind == "WebP":
        return int.from_bytes(data[4:8], "little") + 8 > len(data)
    if kind == "PNG":
        return b"IEND" not in data[-64:]
    return kind == "JPEG" and b"\xff\xd9" not in data[-64:]
