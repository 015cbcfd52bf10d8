"""What a file is by its first bytes: all that can be told of it before it is read."""

from app.datasets.schemas import UnknownArchiveError, UnknownScoresError

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_PARQUET = b"PAR1"
_TAR_OFFSET, _TAR = 257, b"ustar"
NUM_HEAD = _TAR_OFFSET + len(_TAR)
"""Bytes that these checks look at; a shorter head is that of a shorter file."""


def require_archive(head: bytes) -> None:
    """Let a zip (also as npz), tar, tar.gz, tar.zst or Parquet file pass.

    Raises:
        UnknownArchiveError: It is none of these.
    """
    is_tar = head[_TAR_OFFSET:].startswith(_TAR)
    if not (is_tar or head.startswith((*_ZIP, _GZIP, _ZSTD, _PARQUET))):
        raise UnknownArchiveError(
            "The file is no zip, tar (.tar, .tar.gz, .tar.zst), npz or Parquet."
        )


def require_scores(head: bytes) -> None:
    """Let an npz, which is a zip, or a Parquet file pass.

    Raises:
        UnknownScoresError: It is neither.
    """
    if not head.startswith((*_ZIP, _PARQUET)):
        raise UnknownScoresError("The file is neither an npz (numpy.savez) nor a Parquet file.")
