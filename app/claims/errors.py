from app.core.errors import AppError


class TooManyClaimsError(AppError):
    """Decide on what you hold, or give it back, before you take more."""

    status = 409
    code = "too_many_claims"
    title = "Too many samples claimed"
