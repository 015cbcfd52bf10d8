"""The format of a file, told from its content and not from its name."""

ZIP_ENTRY = b"PK\x03\x04"
ZIP_END = b"PK\x05\x06"
"""An empty zip begins with it."""
GZIP = b"\x1f\x8b\x08"
ZSTD = b"\x28\xb5\x2f\xfd"
PARQUET = b"PAR1"

_ARCHIVES = {
    ZIP_ENTRY: "zip",
    GZIP: "gzip",
    ZSTD: "zstd",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!": "RAR",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
}
_IMAGES = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG", b"BM": "BMP"}
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
_TAR_MAGIC = b"ustar"
_TEXT_START_BYTES = 1024


def archive_kind(data: bytes) -> str | None:
    """Return the format of an archive; None for any other file."""
    is_tar = data[_TAR_MAGIC_AT : _TAR_MAGIC_AT + len(_TAR_MAGIC)] == _TAR_MAGIC
    return _kind_in(_ARCHIVES, data) or ("tar" if is_tar else None)


def image_kind(data: bytes) -> str | None:
    """Return the format of an image; None for a format that is not read."""
    is_webp = data.startswith(b"RIFF") and data[8:12] == b"WEBP"
    return "WebP" if is_webp else _kind_in(_IMAGES, data)


def unsupported_kind(data: bytes) -> str | None:
    """Return the format of an image or a document that is known but not read."""
    start = data[:_TEXT_START_BYTES].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith((b"<svg", b"<?xml", b"<!DOCTYPE svg")) and b"<svg" in start:
        return "SVG"
    return _kind_in(_OTHERS, data) or ("HEIF or AVIF" if data[4:8] == b"ftyp" else None)


def _kind_in(kinds: dict[bytes, str], data: bytes) -> str | None:
    return next((name for magic, name in kinds.items() if data.startswith(magic)), None)
