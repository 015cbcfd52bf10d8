"""What a member's name may be. Names are only looked at and shown, never opened."""

import re
import unicodedata
from collections.abc import Sequence

from worker.files.errors import RefusedFileError, RejectCode

_MAX_PART_BYTES = 255
"""The limit of common file systems."""
_MAX_PATH_BYTES = 1024
_MAX_DEPTH = 32
_MAX_SHOWN_CHARACTERS = 300
_MAX_LISTED = 10

_UNPRINTABLE = re.compile(
    # control characters, lone surrogates (bytes that are no UTF-8), line separators, and the
    # marks that reverse the direction of writing, which make a name read as another
    r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
_PLAIN = re.compile(r"[\w-][\w. ()+,=@-]*(?:/[\w-][\w. ()+,=@-]*){,30}", re.ASCII)
"""Matches nearly all names; a short name that matches is safe."""
_DRIVE = re.compile(r"[A-Za-z]:")
_SYSTEM_FILE = re.compile(
    r"(?:^|/)(?:\.|(?:__macosx|(?:eh)?thumbs\.db|desktop\.ini|@eadir)(?:/|$))",
    re.ASCII | re.IGNORECASE,
)


def clean_path(name: str) -> str:
    """Return the name as a relative path without empty and `.` parts.

    Raises:
        RefusedFileError: The name leads outside the upload, or misleads a reader.
    """
    if len(name) <= _MAX_PART_BYTES and _PLAIN.fullmatch(name):
        return name
    fault = _fault(name)
    if fault is not None:
        raise RefusedFileError(RejectCode.UNSAFE_NAME, fault)
    path = "/".join(part for part in name.split("/") if part not in {"", "."})
    return name if path == name else path  # one string less for each of a million files


def _fault(name: str) -> str | None:
    parts = name.split("/")
    faults = (
        (_UNPRINTABLE.search(name), "The name holds characters that cannot be shown."),
        ("\\" in name, "The name holds a backslash; folders are separated by '/'."),
        (name.startswith("/") or _DRIVE.match(name), "The name is an absolute path."),
        (".." in parts, "The name points outside the archive by '..'."),
        (not any(part not in {"", "."} for part in parts), "The name is empty."),
        (len(parts) > _MAX_DEPTH, f"The file lies more than {_MAX_DEPTH} folders deep."),
        (_too_long(parts), "The name is too long."),
    )
    return next((detail for found, detail in faults if found), None)


def _too_long(parts: list[str]) -> bool:
    num_bytes = [len(part.encode(errors="replace")) for part in parts]
    return max(num_bytes) > _MAX_PART_BYTES or sum(num_bytes) + len(parts) > _MAX_PATH_BYTES


def is_system_file(path: str) -> bool:
    """Tell whether a file was put there by a program: hidden files and the like.

    Such files are no user data; they are counted, and listed neither as samples nor as
    rejected files.
    """
    return _SYSTEM_FILE.search(path) is not None


def normal_form(text: str) -> str:
    """Return the one Unicode spelling (NFC) of what may be spelled in several ways."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def twin_key(path: str) -> str:
    """Return a key that is equal for names that some file systems take for the same."""
    folded = path.lower() if path.isascii() else normal_form(normal_form(path).casefold())
    return path if folded == path else folded


def is_printable(text: str) -> bool:
    """Tell whether a text has only characters that screens and databases take."""
    return _UNPRINTABLE.search(text) is None


def printable(name: str) -> str:
    """Return a name with escapes for all characters that cannot be shown."""
    shown = _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", name)
    if len(shown) <= _MAX_SHOWN_CHARACTERS:
        return shown
    return shown[:_MAX_SHOWN_CHARACTERS] + "…"


def listed(names: Sequence[str]) -> str:
    """Return the first names, quoted, and the number of the others."""
    shown = ", ".join(f"'{printable(name)}'" for name in names[:_MAX_LISTED])
    more = len(names) - _MAX_LISTED
    return f"{shown} and {more} more" if more > 0 else shown
