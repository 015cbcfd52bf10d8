from app.core.errors import AppError


class JobFinishedError(AppError):
    """There is nothing left to cancel."""

    status = 409
    code = "job_finished"
    title = "Job already finished"


class JobNotRetryableError(AppError):
    """Only a job that failed or was cancelled can be tried again."""

    status = 409
    code = "job_not_retryable"
    title = "Job cannot be retried"


class TooManyStreamsError(AppError):
    """The tenant has as many event streams open as it may; close one first."""

    status = 429
    code = "too_many_streams"
    title = "Too many event streams"


class StreamsExhaustedError(AppError):
    """All tenants together have as many event streams open as the service holds."""

    status = 503
    code = "streams_exhausted"
    title = "No event stream left"
