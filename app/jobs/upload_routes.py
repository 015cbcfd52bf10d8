"""`POST /v1/datasets`: an upload starts a job, so it belongs to this slice."""

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Request, Response

from app.accounts.auth import Writer
from app.accounts.idempotency import StreamingRoute
from app.accounts.schemas import Scope
from app.core.errors import NotFoundError
from app.datasets.incoming import require_archive
from app.datasets.schemas import (
    DatasetNotReadyError,
    NoImagesError,
    TableColumns,
    UnknownArchiveError,
)
from app.datasets.service import DatasetService
from app.http.deps import ContextDep
from app.http.problems import problems
from app.jobs.receiver import (
    MEDIA_TYPE,
    RECEIVING_ERRORS,
    FinishedUploads,
    Receiver,
    Submit,
    form_body,
    is_finished_upload,
    read_finished_upload,
)
from app.jobs.schemas import FinishedUpload, JobOptions, SubmissionRead
from app.jobs.upload_form import UploadForm, options_of, read_name
from app.uploads.schemas import UploadExpiredError, UploadIncompleteError

DATASETS_PATH = "/v1/datasets"
PARTS_PATH = "/v1/datasets/{dataset_id}/parts"

router = APIRouter(tags=["data sets"], route_class=StreamingRoute)

_BODY = form_body(
    "zip, tar, tar.gz or tar.zst of `[train|test/]<class>/<image>` or of images with a table of "
    "labels (CSV, JSON lines, Parquet, Label Studio JSON); Parquet with images; npz",
    audit={
        "description": "JSON of job options, or `none` to only store the set",
        "oneOf": [JobOptions.model_json_schema(), {"type": "string", "const": "none"}],
    },
    columns={
        "description": "JSON: what the columns of a table of labels are called",
        **TableColumns.model_json_schema(),
    },
)
_PART_DESCRIPTION = """
The answer's `dataset_id` is a new data set, with `version` one higher and this one as `parent_id`:
all samples of this one, with their decisions, and those of the file. This one stays as it is, and
equal images are stored once. Files of a name that this one has too are rejected (`duplicate_name`);
rows of tables and arrays have no names of their own, and get others.
"""

_BODY["requestBody"]["content"][MEDIA_TYPE] = {"schema": FinishedUpload.model_json_schema()}


def is_part_path(path: str) -> bool:
    """Tell whether a path is that of the parts of some data set, whose bodies are streams."""
    head, tail = PARTS_PATH.split("{dataset_id}")
    return path.startswith(head) and path.endswith(tail) and "/" not in path[len(head) : -len(tail)]


class Submitter:
    """Takes one upload in, or one that came in parts before, and registers it."""

    def __init__(
        self,
        request: Request,
        receiver: Annotated[Receiver, Depends()],
        finished: Annotated[FinishedUploads, Depends()],
    ) -> None:
        """Serve one request."""
        self._request = request
        self._receiver = receiver
        self._finished = finished

    async def submit(self, parent_id: str | None = None) -> SubmissionRead:
        """Stream the file to disk, then queue the job that reads it."""
        if is_finished_upload(self._request):
            wanted = await read_finished_upload(self._request, FinishedUpload)
            return await to_thread.run_sync(self._register_finished, wanted, parent_id)
        async with self._receiver.receive(UploadForm, require_archive) as form:
            return await to_thread.run_sync(self._register, form, parent_id)

    def _register(self, form: UploadForm, parent_id: str | None) -> SubmissionRead:
        form.require_upload()
        submit = self._submission(form.name, form.options, form.columns, parent_id)
        return self._receiver.register(form, submit)

    def _register_finished(self, wanted: FinishedUpload, parent_id: str | None) -> SubmissionRead:
        options = options_of(wanted.audit) if isinstance(wanted.audit, dict) else None
        submit = self._submission(read_name(wanted.name), options, wanted.columns, parent_id)
        return self._finished.register(wanted, submit, require_archive)

    def _submission(
        self,
        name: str | None,
        options: JobOptions | None,
        columns: TableColumns,
        parent_id: str | None,
    ) -> Submit:
        if options is not None:
            self._receiver.caller.require(Scope.TRAIN)
        return lambda jobs, dataset_id, upload: jobs.submit_upload(
            dataset_id, upload, name=name, options=options, columns=columns, parent_id=parent_id
        )


SubmitterDep = Annotated[Submitter, Depends()]
_ERRORS = (
    *RECEIVING_ERRORS,
    UnknownArchiveError,
    NotFoundError,
    UploadExpiredError,
    UploadIncompleteError,
)


@router.post(
    DATASETS_PATH,
    status_code=202,
    summary="Upload a data set and audit it",
    description="Answer once the upload is on disk and its job is queued.",
    openapi_extra=_BODY,
    responses=problems(*_ERRORS),
)
async def create_dataset(submitter: SubmitterDep, response: Response) -> SubmissionRead:
    """Answer once the upload is streamed to disk and its job is queued."""
    submission = await submitter.submit()
    response.headers["Location"] = f"/v1/jobs/{submission.job_id}"
    return submission


def _extensible(dataset_id: str, caller: Writer, context: ContextDep) -> str:
    """Refuse before the first byte what nothing can be added to."""
    with context.tenant_database(caller.tenant_id).unit_of_work() as session:
        DatasetService(session, caller.tenant_id).require_extensible(dataset_id)
    return dataset_id


@router.post(
    PARTS_PATH,
    status_code=202,
    summary="Add files to a data set: its next version",
    description=_PART_DESCRIPTION,
    openapi_extra=_BODY,
    responses=problems(*_ERRORS, DatasetNotReadyError, NoImagesError),
)
async def create_part(
    parent_id: Annotated[str, Depends(_extensible)], submitter: SubmitterDep, response: Response
) -> SubmissionRead:
    """Answer once the upload is streamed to disk and its job is queued."""
    submission = await submitter.submit(parent_id)
    response.headers["Location"] = f"/v1/jobs/{submission.job_id}"
    return submission
