"""What becomes of a job whose attempt did not end well: the one place that decides it."""

import signal
from collections.abc import Callable

from app.core.disk import is_disk_full
from app.core.errors import StoreUnavailableError
from app.jobs.lease_repository import Fence, LeaseRepository
from app.models import AttemptOutcome, JobState, Queue
from worker.processes.errors import (
    NO_SPACE,
    CancelledError,
    ChildFailedError,
    ChildLostError,
    DrainedError,
)
from worker.runtime.claim import Attempt

Ending = Callable[[LeaseRepository], JobState]
"""Writes the end into the row, inside the caller's unit of work; returns the new state."""

_CRASHES = frozenset(
    -number
    for number in (
        signal.SIGABRT,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGILL,
        signal.SIGSEGV,
        signal.SIGXCPU,
    )
)
"""Ends that a process brings upon itself; SIGKILL and SIGTERM come from outside."""


def ending_of(
    error: Exception, attempt: Attempt, *, max_attempts: int, reads_upload: bool
) -> Ending:
    """Return how the job goes on after `error`.

    A child that crashes over an upload would crash again: that is the upload's fault.
    """
    match error:
        case CancelledError():
            return _end(attempt, JobState.CANCELLED)
        case DrainedError():
            return _give_back(attempt)
        case ChildFailedError(code=code, detail=detail):
            return _end(attempt, JobState.FAILED, code, detail)
        case ChildLostError(exit_code=code) if reads_upload and code in _CRASHES:
            return _end(
                attempt,
                JobState.FAILED,
                "invalid_dataset",
                f"the upload could not be read: reading it crashed ({error})",
            )
        case _ if (fault := _fault_around_us(error)) is not None:
            return _end(attempt, JobState.FAILED, *fault)
        case _:
            return _lose(attempt, _reason(error), max_attempts)


def _fault_around_us(error: Exception) -> tuple[str, str] | None:
    """Return code and detail where not the job but what it stands on is at fault: retry later."""
    if isinstance(error, StoreUnavailableError):
        return error.code, error.detail
    return NO_SPACE if is_disk_full(error) else None


def _reason(error: Exception) -> str:
    """Say why, without what only we may see: a database error holds its SQL."""
    if isinstance(error, ChildLostError):
        return str(error)
    detail = error.strerror if isinstance(error, OSError) else None
    return type(error).__name__ + (f": {detail}" if detail else "")


def _end(
    attempt: Attempt, state: JobState, code: str | None = None, detail: str | None = None
) -> Ending:
    def write(leases: LeaseRepository) -> JobState:
        leases.finish(attempt.fence, state, error_code=code, error_detail=detail)
        return state

    return write


def _give_back(attempt: Attempt) -> Ending:
    def write(leases: LeaseRepository) -> JobState:
        leases.requeue(attempt.fence, queue=attempt.queue, outcome=AttemptOutcome.GIVEN_BACK)
        return JobState.QUEUED

    return write


def _lose(attempt: Attempt, reason: str, max_attempts: int) -> Ending:
    def write(leases: LeaseRepository) -> JobState:
        return record_loss(
            leases,
            attempt.fence,
            queue=attempt.queue,
            num_lost_before=attempt.lost_attempts,
            max_attempts=max_attempts,
            outcome=AttemptOutcome.LOST,
            reason=reason,
        )

    return write


def record_loss(
    leases: LeaseRepository,
    fence: Fence,
    *,
    queue: Queue,
    num_lost_before: int,
    max_attempts: int,
    outcome: AttemptOutcome,
    reason: str,
) -> JobState:
    """Requeue the job, or fail it with `worker_lost` once its budget is used up.

    Returns:
        The job's new state.

    Raises:
        FencedError: Somebody else owns the job.
    """
    num_lost = num_lost_before + 1
    leases.add_event(fence.job_id, "attempt_lost", {"attempt": fence.attempt, "reason": reason})
    if num_lost < max_attempts:
        leases.requeue(fence, queue=queue, outcome=outcome)
        return JobState.QUEUED
    leases.finish(
        fence,
        JobState.FAILED,
        outcome,
        lost_attempts=num_lost,
        error_code="worker_lost",
        error_detail=f"the job's process was lost {num_lost} times; the last time: {reason}",
    )
    return JobState.FAILED
