"""Room on the data volume, and what it looks like when there is none."""

import errno
import os
import sqlite3
from pathlib import Path

from app.core.errors import NoSpaceError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_POSTGRES_DISK_FULL = "53100"


def is_disk_full(error: BaseException) -> bool:
    """Tell whether a file or a statement failed because its volume, or a quota on it, is full."""
    if isinstance(error, OSError):
        return error.errno in _FULL
    cause = getattr(error, "orig", None)
    return (
        getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        or getattr(cause, "sqlstate", None) == _POSTGRES_DISK_FULL
    )


def free_bytes(folder: Path) -> int:
    """Return the space left for us on the volume of `folder`: none where no new file fits."""
    folder.mkdir(parents=True, exist_ok=True)
    volume = os.statvfs(folder)
    counts_files = volume.f_files > 0
    return 0 if counts_files and volume.f_favail == 0 else volume.f_bavail * volume.f_frsize


def require_space(folder: Path, num_bytes: int, *, min_free_bytes: int) -> None:
    """Make sure that `num_bytes` more leave the reserve of the volume untouched.

    Raises:
        NoSpaceError: They would not.
    """
    if free_bytes(folder) - num_bytes < min_free_bytes:
        raise NoSpaceError("There is not enough room for this upload on the data volume.")
