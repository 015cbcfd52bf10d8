"""What a file is by its first bytes: all that can be told of it before it is read."""

from app.datasets.errors import UnknownArchiveError, UnknownScoresError

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_GZIP = b"\x1f\x8b"
_PARQUET = b"PAR1"
_TAR_OFFSET, _TAR = 257, b"ustar"
NUM_HEAD = _TAR_OFFSET + len(_TAR)
"""Bytes that these checks look at; a shorter head is that of a shorter file."""


def require_archive(head: bytes) -> None:
    """Let a zip, tar or tar.gz pass.

    Raises:
        UnknownArchiveError: It is none of these.
    """
    is_tar = head[_TAR_OFFSET:].startswith(_TAR)
    if not (is_tar or head.startswith((*_ZIP, _GZIP))):
        raise UnknownArchiveError("The file is neither a zip nor a tar (.tar, .tar.gz).")


def require_scores(head: bytes) -> None:
    """Let an npz, which is a zip, or a Parquet file pass.

    Raises:
        UnknownScoresError: It is neither.
    """
    if not head.startswith((*_ZIP, _PARQUET)):
        raise UnknownScoresError("The file is neither an npz (numpy.savez) nor a Parquet file.")
