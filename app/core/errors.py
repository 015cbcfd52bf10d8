"""The errors a caller may see. Each has a fixed status and a stable code (RFC 9457)."""

from typing import Any, ClassVar


class AppError(Exception):
    """A failure that is answered with `application/problem+json`."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, *, headers: dict[str, str] | None = None, **extra: Any) -> None:
        """Keep `detail` for the caller; `extra` become members of the problem object."""
        super().__init__(detail)
        self.detail = detail
        self.headers = headers or {}
        self.extra = extra


class UnauthenticatedError(AppError):
    """No key, or one that is unknown, expired or revoked."""

    status = 401
    code = "unauthenticated"
    title = "Authentication needed"


class ForbiddenError(AppError):
    """The key is good but lacks the scope."""

    status = 403
    code = "forbidden"
    title = "Not allowed"


class ForeignOriginError(AppError):
    """A browser page of another site calls a service that runs without keys."""

    status = 403
    code = "foreign_origin"
    title = "Foreign host or origin"


class NotFoundError(AppError):
    """Unknown id, or one of another tenant: both answer alike."""

    status = 404
    code = "not_found"
    title = "Not found"


class InvalidCursorError(AppError):
    """A cursor that this list did not give."""

    status = 422
    code = "invalid_cursor"
    title = "Invalid cursor"


class PayloadTooLargeError(AppError):
    """More bytes than the service takes."""

    status = 413
    code = "payload_too_large"
    title = "Upload too large"


class NoSpaceError(AppError):
    """The data volume is full, or would be."""

    status = 507
    code = "no_space"
    title = "No space left"


class StoreUnavailableError(AppError):
    """The store of images and results does not answer; worth another try soon."""

    status = 503
    code = "store_unavailable"
    title = "Store unavailable"


class InvalidRequestError(AppError):
    """The request cannot be read as what it says it is."""

    status = 400
    code = "invalid_request"
    title = "Invalid request"
