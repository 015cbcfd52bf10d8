"""Errors of the transport itself."""

from app.core.errors import AppError, ForbiddenError, UnauthenticatedError


class ValidationFailedError(AppError):
    """A parameter or field has no acceptable value; `errors` says which."""

    status = 422
    code = "validation_error"
    title = "Invalid input"


class MethodNotAllowedError(AppError):
    """The path exists, the method does not."""

    status = 405
    code = "method_not_allowed"
    title = "Method not allowed"


class TruncatedUploadError(AppError):
    """The body ended before its last boundary."""

    status = 400
    code = "truncated_upload"
    title = "Upload cut short"


class PreconditionRequiredError(AppError):
    """A change that must say which version it is a change of."""

    status = 428
    code = "precondition_required"
    title = "If-Match needed"


class UnsupportedMediaTypeError(AppError):
    """A body of a type that this route does not read."""

    status = 415
    code = "unsupported_media_type"
    title = "Unsupported media type"


class RateLimitedError(AppError):
    """The tenant sends requests faster than it may."""

    status = 429
    code = "rate_limited"
    title = "Too many requests"


class RequestTimeoutError(AppError):
    """The client took too long to send its request."""

    status = 408
    code = "request_timeout"
    title = "Request too slow"


class DatabaseUnavailableError(AppError):
    """The database does not answer; worth another try soon."""

    status = 503
    code = "database_unavailable"
    title = "Database unavailable"


class IdempotencyMismatchError(AppError):
    """This key belongs to another request."""

    status = 422
    code = "idempotency_mismatch"
    title = "Idempotency key used otherwise"


class IdempotencyInFlightError(AppError):
    """The first request with this key has not ended."""

    status = 409
    code = "idempotency_in_flight"
    title = "Request under way"


COMMON_ERRORS = (
    UnauthenticatedError,
    ForbiddenError,
    ValidationFailedError,
    DatabaseUnavailableError,
)
"""What any call with a key may answer."""
