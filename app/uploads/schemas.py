"""What is known of a resumable upload, the values of its headers, and what can go wrong."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.core.errors import AppError, InvalidRequestError
from app.core.schemas import ReadModel
from app.models import Upload


class OffsetMismatchError(AppError):
    """The bytes sent do not begin where the stored ones end."""

    status = 409
    code = "offset_mismatch"
    title = "Wrong offset"


class UploadIncompleteError(AppError):
    """Bytes of the upload are still missing."""

    status = 409
    code = "upload_incomplete"
    title = "Upload not complete"


class UploadUsedError(AppError):
    """A data set has taken the upload over; there is nothing left to change."""

    status = 409
    code = "upload_used"
    title = "Upload already used"


class UploadExpiredError(AppError):
    """Nobody went on with the upload in time."""

    status = 410
    code = "upload_expired"
    title = "Upload expired"


class UnsupportedTusVersionError(AppError):
    """The client does not say that it speaks tus 1.0.0."""

    status = 412
    code = "unsupported_tus_version"
    title = "Unsupported version of tus"


class UploadLockedError(AppError):
    """Another request is writing to the upload."""

    status = 423
    code = "upload_locked"
    title = "Upload in use"


class ChecksumMismatchError(AppError):
    """The bytes are not those that the client meant; they were dropped."""

    status = 460
    code = "checksum_mismatch"
    title = "Wrong checksum"


CHECKSUM_ALGORITHMS = ("sha1", "sha256", "sha512")
"""SHA-1 since every client has it: the check is against damage, not against malice."""


class UploadCreated(ReadModel):
    """A new resumable upload; its URL is in `Location`."""

    upload_id: UUID


@dataclass(frozen=True, slots=True)
class UploadState:
    """How far an upload is."""

    id: UUID
    num_bytes: int
    offset: int
    details: Mapping[str, str]
    expires_at: datetime

    @classmethod
    def of(cls, upload: Upload) -> "UploadState":
        """Describe a row."""
        return cls(
            id=upload.id,
            num_bytes=upload.num_bytes,
            offset=upload.offset,
            details=upload.details,
            expires_at=upload.expires_at,
        )


class Checksum:
    """What the bytes of one request should hash to."""

    def __init__(self, header: str) -> None:
        """Read `Upload-Checksum`.

        Raises:
            InvalidRequestError: It names no algorithm that we know, or no hash.
        """
        algorithm, _, encoded = header.partition(" ")
        if algorithm not in CHECKSUM_ALGORITHMS:
            known = ", ".join(CHECKSUM_ALGORITHMS)
            raise InvalidRequestError(f"Upload-Checksum takes {known}.")
        self._expected = _decode(encoded, "Upload-Checksum")
        self._digest = hashlib.new(algorithm, usedforsecurity=False)

    def update(self, chunk: bytes) -> None:
        """Take in some of the bytes."""
        self._digest.update(chunk)

    def matches(self) -> bool:
        """Tell whether all bytes are as they should be."""
        return hmac.compare_digest(self._digest.digest(), self._expected)


def read_metadata(header: str) -> dict[str, str]:
    """Read `Upload-Metadata`: pairs of a key and a text in base64, parted by commas.

    Raises:
        InvalidRequestError: It is not of this form.
    """
    details: dict[str, str] = {}
    for pair in filter(None, header.split(",")):
        key, _, encoded = pair.strip().partition(" ")
        if not key or key in details:
            raise InvalidRequestError("Upload-Metadata has an empty or repeated key.")
        try:
            details[key] = _decode(encoded, "Upload-Metadata").decode()
        except UnicodeDecodeError as error:
            raise InvalidRequestError(f"Upload-Metadata {key!r} is not UTF-8.") from error
    return details


def write_metadata(details: Mapping[str, str]) -> str:
    """Write what `read_metadata` reads."""
    return ",".join(
        f"{key} {base64.b64encode(value.encode()).decode()}".rstrip()
        for key, value in details.items()
    )


def _decode(encoded: str, header: str) -> bytes:
    try:
        return base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequestError(f"{header} is not base64.") from error
