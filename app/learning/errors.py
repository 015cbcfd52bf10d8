from app.core.errors import AppError


class NoDecisionsError(AppError):
    """There is nothing to learn from yet."""

    status = 409
    code = "no_decisions"
    title = "No decisions to learn from"


class NoEarlierAuditError(AppError):
    """There is no audit to compare with."""

    status = 409
    code = "no_earlier_audit"
    title = "No earlier audit"
