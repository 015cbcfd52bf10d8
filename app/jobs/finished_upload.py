"""After a resumable upload: its file becomes that of a data set."""

import os
from pathlib import Path
from typing import TypeVar
from uuid import UUID, uuid4

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from sqlalchemy.orm import Session
from starlette.requests import Request

from app.accounts.auth import Writer
from app.accounts.idempotency import OnceDep
from app.accounts.quotas import Quotas
from app.core.durable import sync_folder
from app.datasets.incoming import NUM_HEAD, CheckHead, StoredUpload
from app.http.bodies import body_batches
from app.http.context import AppContext
from app.http.deps import ContextDep
from app.jobs.receiver import Submit, reply_of
from app.jobs.schemas import FinishedScores, FinishedUpload, SubmissionRead
from app.jobs.service import JobService
from app.jobs.upload_form import clean_file_name
from app.models import Job, Upload
from app.uploads.service import UploadService

F = TypeVar("F", bound=BaseModel)
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


async def read_finished_upload(request: Request, kind: type[F]) -> F:
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
