"""What a file is that could not be read, so that its owner hears more than "not an image"."""

from worker.files.errors import RefusedFileError, RejectCode
from worker.files.names import printable

_OURS = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG", b"BM": "BMP"}
_ARCHIVES = {
    b"PK\x03\x04": "zip",
    b"\x1f\x8b": "gzip",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!": "RAR",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
}
_OTHERS = {
    b"GIF8": "GIF",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"%!PS": "EPS",
    b"\xc5\xd0\xd3\xc6": "EPS",
    b"%PDF": "PDF",
    b"8BPS": "Photoshop",
    b"\x00\x00\x00\x0cjP": "JPEG 2000",
    b"\xff\x0a": "JPEG XL",
    b"\x00\x00\x00\x0cJXL ": "JPEG XL",
}
_TAR_MAGIC_AT = 257


def refusal_of_unknown(data: bytes) -> RefusedFileError:
    """Name what the file is, when it is no image of ours."""
    archive = _starting(data, _ARCHIVES) or ("tar" if _is_tar(data) else None)
    if archive is not None:
        detail = f"A {archive} archive; archives inside the archive are not opened."
        return RefusedFileError(RejectCode.NESTED_ARCHIVE, detail)
    other = _starting(data, _OTHERS) or _by_content(data)
    if other is not None:
        detail = f"{other} is not supported; use JPEG, PNG, WebP or BMP."
        return RefusedFileError(RejectCode.UNSUPPORTED_FORMAT, detail)
    if _starting(data, _OURS) or _is_webp(data):
        return refusal_of_broken(data, ValueError("its header is damaged"))
    detail = "The file is no image." if data else "The file is empty."
    return RefusedFileError(RejectCode.NOT_AN_IMAGE, detail)


def refusal_of_broken(data: bytes, error: Exception) -> RefusedFileError:
    """Name what is wrong with a file that begins like an image of ours."""
    if isinstance(error, MemoryError):
        detail = "Decoding the image takes more memory than allowed."
        return RefusedFileError(RejectCode.IMAGE_TOO_LARGE, detail)
    if "truncated" in str(error).lower() or _is_cut_off(data):
        return RefusedFileError(RejectCode.TRUNCATED_IMAGE, "The end of the image is missing.")
    reason = printable(str(error)).rstrip(". ") or type(error).__name__
    return RefusedFileError(RejectCode.BROKEN_IMAGE, f"The image cannot be decoded: {reason}.")


def _starting(data: bytes, signatures: dict[bytes, str]) -> str | None:
    return next((name for start, name in signatures.items() if data.startswith(start)), None)


def _is_tar(data: bytes) -> bool:
    return data[_TAR_MAGIC_AT : _TAR_MAGIC_AT + 5] == b"ustar"


def _is_webp(data: bytes) -> bool:
    return data.startswith(b"RIFF") and data[8:12] == b"WEBP"


def _is_cut_off(data: bytes) -> bool:
    """A WebP says how long it is; a PNG or JPEG has an end mark."""
    if _is_webp(data):
        return int.from_bytes(data[4:8], "little") + 8 > len(data)
    if data.startswith(b"\x89PNG"):
        return b"IEND" not in data[-64:]
    return data.startswith(b"\xff\xd8") and b"\xff\xd9" not in data[-64:]


def _by_content(data: bytes) -> str | None:
    start = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith((b"<svg", b"<?xml", b"<!DOCTYPE svg")) and b"<svg" in start:
        return "SVG"
    return "HEIF or AVIF" if data[4:8] == b"ftyp" else None
