"""Following a job to its end."""

import time
from collections.abc import Callable

from labelaudit.errors import LabelAuditError, is_transient, job_error
from labelaudit.schemas import Job

POLL_SECONDS = 0.5
SILENCE_SECONDS = 60.0
FINAL_STATES = frozenset({"succeeded", "failed", "cancelled"})


def wait_for_job(
    get_job: Callable[[str], Job],
    job_id: str,
    *,
    show: Callable[[Job], None] = lambda _job: None,
    check: Callable[[], None] = lambda: None,
    silence_seconds: float = SILENCE_SECONDS,
) -> Job:
    """Return the job once it succeeded.

    The job does not depend on us: a service that is silent for a while is asked again.

    Args:
        get_job: Asks the service that runs the job.
        job_id: The job.
        show: Called with each state seen.
        check: Called before each question; raises where waiting on is useless.
        silence_seconds: How long the service may fail to answer.

    Raises:
        LabelAuditError: The job failed or was cancelled, or the service is gone.
    """
    answered = time.monotonic()
    while True:
        check()
        try:
            job = get_job(job_id)
        except LabelAuditError as error:
            if not is_transient(error) or time.monotonic() - answered > silence_seconds:
                raise
        else:
            answered = time.monotonic()
            show(job)
            if job["state"] in FINAL_STATES:
                return succeeded(job)
        time.sleep(POLL_SECONDS)


def succeeded(job: Job) -> Job:
    """Return a job that has ended well.

    Raises:
        LabelAuditError: It failed or was cancelled.
    """
    if job["state"] == "succeeded":
        return job
    problem = job["error"] or {"code": job["state"], "detail": f"the job was {job['state']}"}
    raise job_error(problem["code"], problem["detail"])
