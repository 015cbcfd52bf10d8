from app.core.errors import AppError


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
