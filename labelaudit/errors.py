"""What can go wrong as the user sees it, and the exit code each means."""

EXIT_OURS = 1
"""Failed through no fault of the input."""
EXIT_INPUT = 2
"""Wrong usage or input."""

# Codes of failed jobs that say nothing against the input.
_OUR_JOB_CODES = frozenset({"worker_lost", "oom", "diverged", "no_space", "internal", "cancelled"})


class LabelAuditError(Exception):
    """An expected failure: shown in one line with what to do, never as a traceback."""

    def __init__(self, detail: str, *, code: str, exit_code: int, hint: str = "") -> None:
        """Keep what happened, its stable code, and what to do about it."""
        super().__init__(detail)
        self.detail = detail
        self.code = code
        self.exit_code = exit_code
        self.hint = hint


class InputError(LabelAuditError):
    """Wrong usage, or input that cannot be taken."""

    def __init__(self, detail: str, *, code: str, hint: str = "") -> None:
        """Exit code 2."""
        super().__init__(detail, code=code, exit_code=EXIT_INPUT, hint=hint)


class ServiceError(LabelAuditError):
    """The service or this machine failed; the input may be fine."""

    def __init__(self, detail: str, *, code: str, hint: str = "") -> None:
        """Exit code 1."""
        super().__init__(detail, code=code, exit_code=EXIT_OURS, hint=hint)


class ApiError(LabelAuditError):
    """The service answered a request with a problem."""

    def __init__(
        self, status: int, code: str, detail: str, *, retry_after: float | None = None
    ) -> None:
        """Keep the problem's members, and after how many seconds to ask again."""
        super().__init__(
            detail,
            code=code,
            exit_code=EXIT_OURS if status >= 500 else EXIT_INPUT,
            hint="check LABELAUDIT_API_KEY" if status in {401, 403} else "",
        )
        self.status = status
        self.retry_after = retry_after


class UnreachableError(ServiceError):
    """No answer from the service."""

    def __init__(self, detail: str) -> None:
        """Keep why there was no answer."""
        super().__init__(detail, code="unreachable", hint="is the service running at this URL?")


def is_transient(error: LabelAuditError) -> bool:
    """Tell whether the same request may succeed later."""
    if isinstance(error, ApiError):
        return error.status == 429 or error.status >= 500
    return isinstance(error, UnreachableError)


def job_error(code: str, detail: str) -> LabelAuditError:
    """Return what a failed job means to the user."""
    if code in _OUR_JOB_CODES:
        return ServiceError(detail, code=code)
    return InputError(detail, code=code)
