from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from app.accounts.auth import Reader, Trainer
from app.accounts.idempotency import IdempotentRoute
from app.accounts.quotas import Quotas
from app.accounts.schemas import QuotaExceededError
from app.core.errors import InvalidCursorError, NotFoundError
from app.core.schemas import Page
from app.datasets.schemas import DatasetNotReadyError, NoImagesError
from app.http.deps import ContextDep, ReadSession, WriteSession
from app.http.errors import COMMON_ERRORS, ValidationFailedError
from app.http.pagination import PagingDep
from app.http.problems import problems
from app.jobs.events import EventHub, EventStream
from app.jobs.schemas import (
    AttemptRead,
    JobCreate,
    JobCreated,
    JobFinishedError,
    JobNotRetryableError,
    JobRead,
    StreamsExhaustedError,
    TooManyStreamsError,
)
from app.jobs.service import JobService
from app.models import JobState

_MAX_SEQ = 2**31 - 1

router = APIRouter(
    prefix="/v1/jobs",
    tags=["jobs"],
    route_class=IdempotentRoute,
    responses=problems(*COMMON_ERRORS),
)


async def _reading(caller: Reader, session: ReadSession, context: ContextDep) -> JobService:
    return JobService(session, caller.tenant_id, context.wake_ups)


async def _writing(caller: Trainer, session: WriteSession, context: ContextDep) -> JobService:
    quotas = Quotas(session, caller.tenant_id, context.settings)
    return JobService(session, caller.tenant_id, context.wake_ups, quotas=quotas)


async def _stream_place(request: Request, caller: Reader) -> AsyncIterator[EventHub]:
    """Hold a stream's place until its reply has ended, however that comes."""
    hub: EventHub = request.app.state.event_hub
    with hub.place(caller.tenant_id):
        yield hub


StreamPlace = Annotated[EventHub, Depends(_stream_place, scope="request")]


def _event_stream(
    job_id: str, caller: Reader, context: ContextDep, hub: StreamPlace
) -> EventStream:
    database = context.tenant_database(caller.tenant_id)
    return EventStream.open(database, hub, caller.tenant_id, job_id)


ReadingDep = Annotated[JobService, Depends(_reading)]
WritingDep = Annotated[JobService, Depends(_writing)]
EventStreamDep = Annotated[EventStream, Depends(_event_stream)]
Seq = Annotated[int, Query(ge=0, le=_MAX_SEQ)]
LastEventId = Annotated[int | None, Header(ge=0, le=_MAX_SEQ)]


@router.post(
    "",
    status_code=202,
    summary="Audit a data set again",
    responses=problems(
        NotFoundError,
        DatasetNotReadyError,
        NoImagesError,
        ValidationFailedError,
        QuotaExceededError,
    ),
)
def create_job(wanted: JobCreate, service: WritingDep, response: Response) -> JobCreated:
    """The reply comes at once.

    The job waits for its turn. Options that are left out have their defaults.
    """
    job = service.create(wanted)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return JobCreated(job_id=job.id)


@router.get(
    "",
    summary="List jobs, newest first",
    responses=problems(ValidationFailedError, InvalidCursorError),
)
def list_jobs(
    service: ReadingDep,
    paging: PagingDep,
    state: JobState | None = None,
    dataset_id: str | None = None,
) -> Page[JobRead]:
    """Newest first, page by page, also those that have ended."""
    return paging.reply(service.newest(paging.wanted, state=state, dataset_id=dataset_id))


@router.get("/{job_id}", summary="Get a job", responses=problems(NotFoundError))
def get_job(job_id: str, service: ReadingDep) -> JobRead:
    """State, progress and, where it failed, the code of the error."""
    return service.read(job_id)


@router.get(
    "/{job_id}/attempts",
    summary="List what was tried, with the end of each log",
    responses=problems(NotFoundError),
)
def list_attempts(job_id: str, service: ReadingDep) -> Page[AttemptRead]:
    """A job is taken over when its worker dies; each attempt is kept."""
    return service.attempts(job_id)


@router.post(
    "/{job_id}/cancel",
    status_code=202,
    summary="Cancel a job: at once while it waits, within seconds while it runs",
    responses=problems(NotFoundError, JobFinishedError),
)
def cancel_job(job_id: str, service: WritingDep) -> JobRead:
    """The reply may still say `running`: ask again, or follow the events."""
    return service.cancel(job_id)


@router.post(
    "/{job_id}/retry",
    status_code=202,
    summary="Queue a failed or cancelled job again",
    responses=problems(NotFoundError, JobNotRetryableError, QuotaExceededError),
)
def retry_job(job_id: str, service: WritingDep) -> JobRead:
    """It goes on from its last checkpoint, where there is one."""
    return service.retry(job_id)


@router.get(
    "/{job_id}/events",  # noqa: FAST003 - the dependency takes job_id
    summary="Follow a job as server-sent events; ends with the job",
    response_class=EventSourceResponse,
    responses=problems(NotFoundError, TooManyStreamsError, StreamsExhaustedError),
)
async def stream_events(
    stream: EventStreamDep, after: Seq = 0, last_event_id: LastEventId = None
) -> AsyncIterator[ServerSentEvent]:
    """Stream what happened and what happens."""
    async for event in stream.follow(after if last_event_id is None else last_event_id):
        yield ServerSentEvent(id=str(event.seq), event=event.type, data=event.data)
