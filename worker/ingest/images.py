"""One image: decoded once, for its check, its row in the cache and its thumbnail."""

import io
from typing import Any, NamedTuple

from PIL import ExifTags, Image, UnidentifiedImageError

from worker.ingest.errors import RefusedFileError, RejectCode
from worker.ingest.plain_jpeg import decode_plain_jpeg
from worker.ingest.signatures import refusal_of_broken, refusal_of_unknown

_MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",  # a JPEG with a second picture behind it; many phones write these
    "PNG": "image/png",
    "WEBP": "image/webp",
    "BMP": "image/bmp",
}
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
"""What Pillow may try: no format that has ever run a program (EPS) or opened another file."""
_MAX_SIDE = 65_500
"""The most that a JPEG can have."""
_MAX_JPEG_SCANS = 500
"""libjpeg-turbo advises this against progressive images that take hours to decode."""
_SCAN_MARKER = b"\xff\xda"  # cannot occur inside entropy-coded data

_THUMBNAIL_SIDE = 256
_THUMBNAIL_OPTIONS: dict[str, Any] = {
    "quality": 80,
    "method": 1,  # a third of the default's time, for files no larger
    "icc_profile": b"",  # some releases of Pillow carry it over from the source
}
_DRAFT_SIDE = 2 * _THUMBNAIL_SIDE
"""Large JPEGs are decoded at this reduced size at least: all data are read, fewer are computed."""
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
    """An image as a viewer shows it: upright, first frame, on white where it is transparent."""

    media_type: str
    width: int
    height: int
    row: bytes
    """RGB pixels, squashed to the square of the cache."""
    thumbnail: bytes | None
    """WebP without metadata; None where the file is small and stores the pixels that are seen."""


def decode_image(data: bytes, *, image_size: int, max_pixels: int) -> DecodedImage:
    """Decode everything that is needed of one file.

    Raises:
        RefusedFileError: It is no image that we take.
    """
    _refuse_many_scans(data)
    plain = decode_plain_jpeg(data, max_side=_DRAFT_SIDE, max_pixels=max_pixels)
    if plain is not None:
        is_large = max(plain.size) > _THUMBNAIL_SIDE
        return _finished(
            data, plain, _MEDIA_TYPES["JPEG"], plain.size, image_size, with_thumbnail=is_large
        )
    with _opened(data, max_pixels) as image:
        size, media_type = image.size, _MEDIA_TYPES[image.format or ""]
        try:
            picture = _load(image)
            turn = _turn(image)
            with_thumbnail = (
                max(size) > _THUMBNAIL_SIDE or turn is not None or not _stores_what_is_seen(image)
            )
            if turn is not None:
                picture = picture.transpose(turn)
        except Exception as error:
            raise refusal_of_broken(data, error) from error
        size = size[::-1] if turn in _SWAPS_SIDES else size
        return _finished(data, picture, media_type, size, image_size, with_thumbnail=with_thumbnail)


def every_pixel(data: bytes, *, max_pixels: int) -> tuple[str, tuple[int, int], bytes]:
    """Return (mode, size, pixels) of an image as it stands upright, with nothing lost.

    Raises:
        RefusedFileError: It is no image that we take.
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
            raise refusal_of_broken(data, error) from error


def longer_side(data: bytes, *, max_pixels: int) -> int:
    """Return the longer side, from the image's header alone.

    Raises:
        RefusedFileError: It is no image that we take.
    """
    _refuse_many_scans(data)
    with _opened(data, max_pixels) as image:
        return max(image.size)


def _refuse_many_scans(data: bytes) -> None:
    if data.startswith(b"\xff\xd8") and data.count(_SCAN_MARKER) > _MAX_JPEG_SCANS:
        detail = f"A JPEG of more than {_MAX_JPEG_SCANS} scans."
        raise RefusedFileError(RejectCode.BROKEN_IMAGE, detail)


def _opened(data: bytes, max_pixels: int) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
    except UnidentifiedImageError as error:
        raise refusal_of_unknown(data) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(max_pixels) from error
    except Exception as error:
        # Hostile bytes make Pillow's parsers raise nearly anything; none of it may end the ingest.
        raise refusal_of_broken(data, error) from error
    if image.width * image.height > max_pixels or max(image.size) > _MAX_SIDE:
        raise _too_large(max_pixels)
    return image


def _load(image: Image.Image) -> Image.Image:
    width, height = image.size
    scale = max(width, height) / _DRAFT_SIDE
    if scale > 1:
        image.draft(None, (max(1, int(width / scale)), max(1, int(height / scale))))
    image.load()
    return _as_rgb(image)


def _turn(image: Image.Image) -> Image.Transpose | None:
    """Return what makes the picture upright; damaged EXIF data say nothing.

    Only for loaded images: Pillow may load one here, and its faults would be lost.
    """
    try:
        return _UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 - the parser raises nearly anything; the pixels may be fine
        return None


def _stores_what_is_seen(image: Image.Image) -> bool:
    """Whether a program sees the same that knows no transparency and 8 bits only."""
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


def _finished(
    data: bytes,
    picture: Image.Image,
    media_type: str,
    size: tuple[int, int],
    image_size: int,
    *,
    with_thumbnail: bool,
) -> DecodedImage:
    try:
        row = _row(picture, image_size)
        thumbnail = _thumbnail(picture) if with_thumbnail else None
    except Exception as error:
        raise refusal_of_broken(data, error) from error
    return DecodedImage(media_type, *size, row, thumbnail)


def _row(picture: Image.Image, image_size: int) -> bytes:
    target = (image_size, image_size)
    if picture.size != target:
        picture = picture.resize(target, Image.Resampling.LANCZOS, reducing_gap=_REDUCING_GAP)
    return picture.tobytes()


def _thumbnail(picture: Image.Image) -> bytes:
    """Shrink the picture, which is not used again, and encode it; a small one loses nothing."""
    is_small = max(picture.size) <= _THUMBNAIL_SIDE
    picture.thumbnail((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE), reducing_gap=_REDUCING_GAP)
    file = io.BytesIO()
    picture.save(file, "WEBP", lossless=is_small, **_THUMBNAIL_OPTIONS)
    return file.getvalue()


def _too_large(max_pixels: int) -> RefusedFileError:
    return RefusedFileError(
        RejectCode.IMAGE_TOO_LARGE, f"The image has more than {max_pixels:,} pixels."
    )
