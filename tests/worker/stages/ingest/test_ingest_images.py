"""Images of every kind: each is decoded or named, and none ends the ingest."""

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from tests.support.unlike_pixels import UNLIKE_THEIR_PIXELS
from tests.worker.stages.ingest.making import encoded, make_zip, picture, png, run, two_classes
from worker.files.errors import RefusedFileError, RejectCode
from worker.stages.ingest.images import DecodedImage, decode_image, longer_side

MAX_PIXELS = 1_000_000
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def _decode(data: bytes, *, image_size: int = 16) -> DecodedImage:
    return decode_image(data, image_size=image_size, max_pixels=MAX_PIXELS)


def _row(decoded: DecodedImage, image_size: int = 16) -> Image.Image:
    return Image.frombytes("RGB", (image_size, image_size), decoded.row)


def _refusal(data: bytes) -> RejectCode:
    with pytest.raises(RefusedFileError) as caught:
        _decode(data)
    assert caught.value.refusal.detail.endswith(".")
    return caught.value.refusal.code


def _close(pixel: object, colour: tuple[int, int, int]) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(int(a) - b) <= 12 for a, b in zip(pixel, colour, strict=True))


_IDAT = b"\0\0\0\x04IDATxxxx----"


def _png_header(width: int, height: int) -> bytes:
    chunk = b"IHDR" + struct.pack(">2L5B", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n\0\0\0\x0d" + chunk + struct.pack(">L", zlib.crc32(chunk)) + _IDAT


def _text_bomb() -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("bomb", "0" * 3_000_000, zip=True)
    return encoded(picture(1), pnginfo=info)


def _scan_bomb() -> bytes:
    data = encoded(picture(1), "JPEG", progressive=True)
    scan = data.rfind(b"\xff\xda")
    return data[:scan] + data[scan:-2] * 600 + data[-2:]


class TestTaken:
    def test_pixels_of_the_right_size_are_kept_as_they_are(self) -> None:
        original = picture(7, width=16, height=16)
        assert _decode(encoded(original)).row == original.tobytes()

    @pytest.mark.parametrize(
        ("file_format", "media_type"),
        [
            ("JPEG", "image/jpeg"),
            ("PNG", "image/png"),
            ("WEBP", "image/webp"),
            ("BMP", "image/bmp"),
            ("MPO", "image/jpeg"),
        ],
    )
    def test_formats(self, file_format: str, media_type: str) -> None:
        more = {"save_all": True, "append_images": [picture(9)]} if file_format == "MPO" else {}
        decoded = _decode(encoded(picture(1), file_format, **more))
        assert (decoded.media_type, decoded.width, decoded.height) == (media_type, 12, 10)

    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
    def test_png_modes(self, mode: str) -> None:
        assert _row(_decode(encoded(Image.new(mode, (9, 9))))).mode == "RGB"

    def test_cmyk_jpeg(self) -> None:
        cmyk = Image.new("RGB", (40, 40), RED).convert("CMYK")
        assert _close(_row(_decode(encoded(cmyk, "JPEG"))).getpixel((8, 8)), (254, 0, 0))

    def test_sixteen_bit_png_keeps_its_contrast(self) -> None:
        shades = [0] * 8 + [32768] * 8
        deep = Image.frombytes("I;16", (16, 16), struct.pack("<16H", *shades) * 16)
        row = _row(_decode(encoded(deep)))
        assert row.getpixel((2, 2)) == (0, 0, 0)
        assert _close(row.getpixel((13, 2)), (128, 128, 128))

    def test_one_pixel(self) -> None:
        decoded = _decode(encoded(Image.new("RGB", (1, 1), BLUE)))
        assert (decoded.width, decoded.height) == (1, 1)
        assert set(_row(decoded).get_flattened_data()) == {BLUE}

    def test_long_thin_image(self) -> None:
        decoded = _decode(encoded(Image.new("RGB", (6000, 1), GREEN), "JPEG"))
        assert decoded.thumbnail is not None
        assert _close(_row(decoded).getpixel((8, 8)), GREEN)

    def test_transparent_pixels_show_white_paper(self) -> None:
        clear = Image.new("RGBA", (16, 16), (255, 0, 0, 0))
        assert _row(_decode(encoded(clear))).getpixel((5, 5)) == WHITE
        palette = Image.new("P", (16, 16), 0)
        assert _row(_decode(encoded(palette, transparency=0))).getpixel((5, 5)) == WHITE

    @pytest.mark.parametrize("file_format", ["WEBP", "PNG"])
    def test_first_frame_of_an_animation(self, file_format: str) -> None:
        frames = [Image.new("RGB", (16, 16), colour) for colour in (RED, GREEN, BLUE)]
        options = {"lossless": True} if file_format == "WEBP" else {}
        data = encoded(frames[0], file_format, save_all=True, append_images=frames[1:], **options)
        assert _row(_decode(data)).getpixel((5, 5)) == RED

    @pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_exif_orientation_is_applied(self, file_format: str, orientation: int) -> None:
        upright = Image.new("RGB", (400, 200), WHITE)
        upright.paste(RED, (0, 0, 200, 100))
        upright.paste(BLUE, (200, 100, 400, 200))
        stored = upright.transpose(_STORED_AS[orientation]) if orientation > 1 else upright
        exif = Image.Exif()
        exif[0x112] = orientation
        decoded = _decode(encoded(stored, file_format, exif=exif))
        assert (decoded.width, decoded.height) == (400, 200)
        assert decoded.thumbnail is not None
        thumbnail = Image.open(io.BytesIO(decoded.thumbnail))
        assert thumbnail.size == (256, 128)
        assert not thumbnail.getexif()
        for shown in (_row(decoded), thumbnail.convert("RGB")):
            right, bottom = shown.width - 3, shown.height - 3
            assert _close(shown.getpixel((3, 3)), RED)
            assert _close(shown.getpixel((right, bottom)), BLUE)
            assert _close(shown.getpixel((right, 3)), WHITE)

    @pytest.mark.parametrize("name", UNLIKE_THEIR_PIXELS)
    def test_small_files_unlike_their_pixels_have_a_thumbnail_of_what_is_seen(
        self, name: str
    ) -> None:
        data, seen = UNLIKE_THEIR_PIXELS[name]
        decoded = _decode(data)
        assert decoded.thumbnail is not None
        thumbnail = Image.open(io.BytesIO(decoded.thumbnail))
        assert thumbnail.size == (decoded.width, decoded.height)
        assert not thumbnail.getexif()
        shown = thumbnail.convert("RGB")
        # None of it is lost: a few pixels are all that there is.
        assert [shown.getpixel(place) for place in seen] == list(seen.values())

    @pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
    def test_small_files_that_show_their_pixels_are_their_own_thumbnails(self, mode: str) -> None:
        assert _decode(encoded(picture(3).convert(mode))).thumbnail is None

    def test_thumbnails_carry_no_colour_profile(self) -> None:
        data = encoded(picture(1, width=300, height=300), icc_profile=b"profile" * 50)
        thumbnail = _decode(data).thumbnail
        assert thumbnail is not None
        assert b"profile" not in thumbnail

    def test_large_jpegs_look_the_same_as_large_pngs(self) -> None:
        large = Image.radial_gradient("L").resize((1000, 900)).convert("RGB")
        from_jpeg, from_png = (_decode(encoded(large, f)) for f in ("JPEG", "PNG"))
        assert (from_jpeg.width, from_jpeg.height) == (1000, 900)
        assert all(abs(a - b) <= 6 for a, b in zip(from_jpeg.row, from_png.row, strict=True))


_STORED_AS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


class TestRefused:
    @pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "BMP"])
    @pytest.mark.parametrize("share", [0.5, 0.9])
    def test_truncated_files(self, file_format: str, share: float) -> None:
        noise = Image.effect_noise((200, 200), 90).convert("RGB")
        data = encoded(noise, file_format)
        assert _refusal(data[: int(len(data) * share)]) is RejectCode.TRUNCATED_IMAGE

    @pytest.mark.parametrize(
        ("data", "code"),
        [
            (b"", RejectCode.NOT_AN_IMAGE),
            (b"just text", RejectCode.NOT_AN_IMAGE),
            (b"<svg xmlns='http://www.w3.org/2000/svg'/>", RejectCode.UNSUPPORTED_FORMAT),
            (b"<?xml version='1.0'?>\n<svg/>", RejectCode.UNSUPPORTED_FORMAT),
            (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", RejectCode.UNSUPPORTED_FORMAT),
            (encoded(picture(1), "GIF"), RejectCode.UNSUPPORTED_FORMAT),
            (encoded(picture(1), "TIFF"), RejectCode.UNSUPPORTED_FORMAT),
            (encoded(picture(1), "EPS"), RejectCode.UNSUPPORTED_FORMAT),
            (encoded(picture(1), "PDF"), RejectCode.UNSUPPORTED_FORMAT),
            (b"PK\x03\x04 and so on", RejectCode.NESTED_ARCHIVE),
            (b"\x1f\x8b\x08 and so on", RejectCode.NESTED_ARCHIVE),
            (_png_header(50_000, 50_000), RejectCode.IMAGE_TOO_LARGE),
            (_png_header(1001, 1000), RejectCode.IMAGE_TOO_LARGE),
            (encoded(Image.new("1", (70_000, 1))), RejectCode.IMAGE_TOO_LARGE),
            (_png_header(10, 10), RejectCode.TRUNCATED_IMAGE),
            (_png_header(10, 10) + b"IEND", RejectCode.BROKEN_IMAGE),
            (b"\x89PNG\r\n\x1a\n", RejectCode.TRUNCATED_IMAGE),
            (_text_bomb(), RejectCode.BROKEN_IMAGE),
            (_scan_bomb(), RejectCode.BROKEN_IMAGE),
        ],
        ids=lambda value: str(value)[:24] if isinstance(value, bytes) else value.value,
    )
    def test_each_has_its_code(self, data: bytes, code: RejectCode) -> None:
        assert _refusal(data) is code

    def test_size_is_refused_from_the_header(self) -> None:
        with pytest.raises(RefusedFileError):
            longer_side(_png_header(50_000, 50_000), max_pixels=MAX_PIXELS)

    @pytest.mark.parametrize("error", [RecursionError, KeyError, ZeroDivisionError, MemoryError])
    def test_whatever_a_decoder_raises_is_that_files_fault(
        self, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
    ) -> None:
        def explode(_self: object) -> None:
            raise error

        monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", explode)
        out_of_memory = error is MemoryError
        assert _refusal(png(1)) is (
            RejectCode.IMAGE_TOO_LARGE if out_of_memory else RejectCode.BROKEN_IMAGE
        )


class TestInADataSet:
    def test_bad_files_are_listed_and_the_rest_goes_on(self, archive: Path) -> None:
        files = {**two_classes(), "cat/text.png": b"text", "dog/cut.jpg": b"\xff\xd8\xff\xe0"}
        result = run(make_zip(archive, files))
        assert result.codes == {"cat/text.png": "not_an_image", "dog/cut.jpg": "truncated_image"}
        assert result.summary["num_samples"] == 4
        assert result.summary["num_rejected"] == 2
        assert result.summary["warnings"] == ["2 of 6 files were not taken (33%)."]

    def test_damaged_exif_does_not_matter(self, archive: Path) -> None:
        odd = encoded(picture(1), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff garbage")
        result = run(make_zip(archive, {**two_classes(), "cat/odd.jpg": odd}))
        assert result.summary["num_samples"] == 5

    def test_an_unreadable_first_image_does_not_choose_the_size(self, archive: Path) -> None:
        files = {**two_classes(), "ant/0.png": _png_header(50_000, 50_000)}
        assert run(make_zip(archive, files)).summary["image_size"] == 16


def test_no_other_parser_is_called() -> None:
    """A Pillow plugin that is registered and not asked for stays untouched."""
    program = (
        "import sys; from PIL import Image, EpsImagePlugin, TiffImagePlugin\n"
        "def touched(*_): sys.exit('touched')\n"
        "for name in set(Image.OPEN) - {'JPEG', 'PNG', 'WEBP', 'BMP'}:\n"
        "    Image.OPEN[name] = (touched, touched)\n"
        "from worker.stages.ingest.images import decode_image\n"
        "from worker.files.errors import RefusedFileError\n"
        "try: decode_image(b'%!PS-Adobe-3.0 EPSF', image_size=8, max_pixels=99)\n"
        "except RefusedFileError: print('refused')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("refused", "")
