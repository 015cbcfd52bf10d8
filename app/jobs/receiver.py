"""One uploaded file on its way from the network, or from a resumable upload, to its first job."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

import anyio
from anyio import to_thread
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from sqlalchemy.orm import Session

from app.accounts.auth import Writer
from app.accounts.idempotency import OnceDep, StoredReply
from app.accounts.quotas import ByteReservation, Quotas
from app.accounts.schemas import Principal, QuotaExceededError
from app.core.durable import sync_folder
from app.core.errors import (
    AppError,
    ForbiddenError,
    InvalidRequestError,
    NoSpaceError,
    PayloadTooLargeError,
    UnauthenticatedError,
)
from app.datasets.incoming import NUM_HEAD, CheckHead, IncomingFile, StoredUpload
from app.datasets.schemas import EmptyUploadError, MissingFileError
from app.http.bodies import FormReader, announced_bytes, body_batches
from app.http.context import AppContext
from app.http.deps import ContextDep
from app.http.errors import (
    DatabaseUnavailableError,
    TruncatedUploadError,
    UnsupportedMediaTypeError,
    ValidationFailedError,
)
from app.jobs.schemas import FinishedScores, FinishedUpload, SubmissionRead
from app.jobs.service import JobService
from app.jobs.upload_form import FileForm, clean_file_name
from app.models import Job, Upload
from app.uploads.service import UploadService

F = TypeVar("F", bound=FileForm)
RECEIVING_ERRORS: tuple[type[AppError], ...] = (
    InvalidRequestError,
    TruncatedUploadError,
    UnauthenticatedError,
    ForbiddenError,
    PayloadTooLargeError,
    UnsupportedMediaTypeError,
    ValidationFailedError,
    MissingFileError,
    EmptyUploadError,
    NoSpaceError,
    QuotaExceededError,
    DatabaseUnavailableError,
)
"""What any upload may be answered with."""
Submit = Callable[[JobService, UUID, StoredUpload], Job]
"""Makes the rows of an upload that will have this id as a data set."""


def form_body(file_description: str, **fields: dict[str, Any]) -> dict[str, Any]:
    """Return what OpenAPI says of a form with a file, a name and further fields."""
    file = {"type": "string", "format": "binary", "description": file_description}
    schema = {
        "type": "object",
        "required": ["file"],
        "additionalProperties": False,
        "properties": {"file": file, "name": {"type": "string", "maxLength": 200}, **fields},
    }
    content = {"multipart/form-data": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}


class Receiver:
    """Takes one upload in and registers it."""

    def __init__(
        self, request: Request, caller: Writer, context: ContextDep, once: OnceDep
    ) -> None:
        """Serve one request."""
        self._once = once
        self.caller: Principal = caller
        self._request = request
        self._context: AppContext = context
        self._reservation = ByteReservation(
            context.tenant_database(caller.tenant_id), caller.tenant_id, context.settings
        )

    @asynccontextmanager
    async def receive(
        self, make_form: Callable[[IncomingFile], F], check_head: CheckHead
    ) -> AsyncIterator[F]:
        """Stream the body to disk: nothing is registered before it is whole."""
        async with self._incoming_file(check_head) as file:
            form = make_form(file)
            reader = FormReader(self._request.headers.get("content-type", ""), form)
            limit = self._context.settings.max_upload_bytes
            async with aclosing(body_batches(self._request, max_bytes=limit)) as batches:
                async for batch in batches:
                    await to_thread.run_sync(reader.feed, batch)
            reader.finish()
            yield form

    def register(self, form: FileForm, submit: Submit) -> SubmissionRead:
        """Give the file its place and the database its rows: both or neither."""
        upload = form.require_upload()
        dataset_id = uuid4()
        target = self._context.folder.upload(dataset_id)
        wanted = self._once.hash(self._request.url.path, upload.sha256, form.wanted())
        try:
            with self._context.tenant_database(self.caller.tenant_id).unit_of_work() as session:
                self._once.reserve(session, wanted)
                quotas = self._quotas(session)
                jobs = JobService(
                    session, self.caller.tenant_id, self._context.wake_ups, quotas=quotas
                )
                self._reservation.settle(session, upload.num_bytes)
                job = submit(jobs, dataset_id, upload)
                submission = SubmissionRead(dataset_id=job.dataset_id, job_id=job.id)
                self._once.remember(session, reply_of(submission))
                form.file.publish(target)  # before the commit: no row without its file
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        return submission

    @asynccontextmanager
    async def _incoming_file(self, check_head: CheckHead) -> AsyncIterator[IncomingFile]:
        try:
            file = await to_thread.run_sync(self._open, check_head)
            try:
                yield file
            finally:
                # Shielded: a client that hangs up must not leave its bytes behind.
                with anyio.CancelScope(shield=True):
                    await to_thread.run_sync(file.discard)
        finally:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(self._reservation.release)

    def _open(self, check_head: CheckHead) -> IncomingFile:
        settings = self._context.settings
        expected = announced_bytes(self._request, max_bytes=settings.max_upload_bytes)
        self._require_quota()
        self._reservation.cover(max(expected, 1))
        return IncomingFile(
            self._context.folder,
            min_free_bytes=settings.min_free_bytes,
            expected_bytes=expected,
            cover=self._reservation.cover,
            check_head=check_head,
        )

    def _require_quota(self) -> None:
        """Say at once what registering would say after the last byte."""
        with self._context.tenant_database(self.caller.tenant_id).unit_of_work() as session:
            quotas = self._quotas(session)
            quotas.require_samples(1)
            quotas.require_job(needs_gpu=False)

    def _quotas(self, session: Session) -> Quotas:
        return Quotas(session, self.caller.tenant_id, self._context.settings)


def reply_of(submission: SubmissionRead) -> StoredReply:
    """Return how a submission is answered, as its repetitions are."""
    headers = {
        "Location": f"/v1/jobs/{submission.job_id}",
        "Content-Type": "application/json",
    }
    return StoredReply(202, headers, submission.model_dump_json().encode())


WantedT = TypeVar("WantedT", bound=BaseModel)
MEDIA_TYPE = "application/json"
_MAX_BODY_BYTES = 64 * 1024
_FILE_NAME = "filename"
"""Key of the metadata by which tus clients tell the name of the file."""


class FinishedUploads:
    """Turns whole uploads into data sets. Asked twice, it answers the same."""

    def __init__(
        self, request: Request, caller: Writer, context: ContextDep, once: OnceDep
    ) -> None:
        """Serve one request."""
        self._path = request.url.path
        self._once = once
        self._caller = caller
        self._context: AppContext = context

    def register(
        self, wanted: FinishedUpload | FinishedScores, submit: Submit, check_head: CheckHead
    ) -> SubmissionRead:
        """Give the file its place and the database its rows: both or neither.

        Raises:
            AppError: The file is of no kind that is wanted, or `submit` refuses it.
        """
        tenant_id, dataset_id = self._caller.tenant_id, uuid4()
        target = self._context.folder.upload(dataset_id)
        try:
            with self._context.tenant_database(tenant_id).unit_of_work() as session:
                self._once.reserve(session, self._hash(wanted))
                quotas = Quotas(session, tenant_id, self._context.settings)
                jobs = JobService(session, tenant_id, self._context.wake_ups, quotas=quotas)
                uploads = UploadService(session, tenant_id, self._context.settings)
                upload = uploads.find_whole(wanted.upload_id)
                if upload.job_id is not None:
                    return self._answer(session, jobs.find(str(upload.job_id)))
                job = submit(jobs, dataset_id, self._checked(upload, check_head))
                upload.job_id = job.id
                self._link(upload.id, target)  # before the commit: no row without its file
                submission = self._answer(session, job)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        self._context.folder.part(upload.id).unlink(missing_ok=True)
        return submission

    def _hash(self, wanted: FinishedUpload | FinishedScores) -> str:
        return self._once.hash("upload", self._path, wanted.model_dump_json())

    def _answer(self, session: Session, job: Job) -> SubmissionRead:
        submission = SubmissionRead(dataset_id=job.dataset_id, job_id=job.id)
        self._once.remember(session, reply_of(submission))
        return submission

    def _checked(self, upload: Upload, check_head: CheckHead) -> StoredUpload:
        with self._context.folder.part(upload.id).open("rb") as file:
            check_head(file.read(NUM_HEAD))
        return StoredUpload(
            file_name=clean_file_name(upload.details.get(_FILE_NAME)),
            sha256=upload.sha256 or "",
            num_bytes=upload.num_bytes,
        )

    def _link(self, upload_id: UUID, target: Path) -> None:
        """Give the file a second name: were it moved, a crash before the commit would lose it."""
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(self._context.folder.part(upload_id), target)
        sync_folder(target.parent)


def is_finished_upload(request: Request) -> bool:
    """Tell whether a request names an upload, in place of sending a file."""
    media_type, _, _ = request.headers.get("content-type", "").partition(";")
    return media_type.strip().lower() == MEDIA_TYPE


async def read_finished_upload(request: Request, kind: type[WantedT]) -> WantedT:
    """Read the request's JSON.

    Raises:
        PayloadTooLargeError: It is longer than such JSON can be.
        RequestValidationError: It is not what is wanted.
    """
    body = b"".join([batch async for batch in body_batches(request, max_bytes=_MAX_BODY_BYTES)])
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise RequestValidationError(
            [{**item, "loc": ("body", *item["loc"])} for item in error.errors()]
        ) from error
