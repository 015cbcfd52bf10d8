from app.core.errors import AppError


class NoAuditError(AppError):
    """The export needs what an audit says, and none has succeeded."""

    status = 409
    code = "no_audit"
    title = "No finished audit"
