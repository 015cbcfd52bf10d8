"""What becomes of a job whose attempt ended without a word."""

from app.jobs.lease_repository import Fence, LeaseRepository
from app.models import AttemptOutcome, JobState, Queue


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
