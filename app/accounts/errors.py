from app.core.errors import AppError


class QuotaExceededError(AppError):
    """The tenant would use more than it may; `quota` says of what."""

    status = 429
    code = "quota_exceeded"
    title = "Quota exceeded"


class KeyNotActiveError(AppError):
    """A key that is revoked or expired cannot be rotated."""

    status = 409
    code = "key_not_active"
    title = "Key not active"


class TenantExistsError(AppError):
    """Names of tenants are unique."""

    status = 409
    code = "tenant_exists"
    title = "Tenant exists"
