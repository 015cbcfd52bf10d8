"""Public ids. A malformed id is an unknown id: both are answered alike."""

import re
from uuid import UUID

from app.core.errors import NotFoundError

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
# Sixteen digits, so that the order of the texts is the order of the numbers; a letter in front,
# because spreadsheets read 00…30e5 as a number and lose the id.
_SAMPLE_ID = re.compile(r"s[0-7][0-9a-f]{15}", re.ASCII)


def not_found(noun: str) -> NotFoundError:
    """Return the one answer for unknown, foreign and malformed ids."""
    return NotFoundError(f"There is no {noun} with this id.")


def parse_uuid(text: str, noun: str) -> UUID:
    """Read the id of a data set, job or artifact.

    Raises:
        NotFoundError: The text is no id.
    """
    if not _UUID.fullmatch(text):
        raise not_found(noun)
    return UUID(text)


def format_sample_id(number: int) -> str:
    """Write a sample's number as its public id."""
    return f"s{number:016x}"


def parse_sample_id(text: str) -> int:
    """Read a sample's public id.

    Raises:
        NotFoundError: The text is no id.
    """
    if not _SAMPLE_ID.fullmatch(text):
        raise not_found("sample")
    return int(text[1:], 16)
