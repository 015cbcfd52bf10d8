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
