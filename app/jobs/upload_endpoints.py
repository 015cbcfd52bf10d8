"""`POST /v1/datasets`: an upload starts a job, so it belongs to this slice."""

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Request, Response

from app.accounts.idempotency import StreamingRoute
from app.accounts.schemas import Scope
from app.core.errors import NotFoundError
from app.datasets.errors import UnknownArchiveError
from app.datasets.schemas import TableColumns
from app.datasets.signatures import require_archive
from app.http.problems import problems
from app.jobs.finished_upload import MEDIA_TYPE, FinishedUploads, read_finished_upload
from app.jobs.receiver import RECEIVING_ERRORS, Receiver, form_body
from app.jobs.schemas import FinishedUpload, JobOptions, SubmissionRead
from app.jobs.upload_form import UploadForm
from app.uploads.errors import UploadExpiredError, UploadIncompleteError

DATASETS_PATH = "/v1/datasets"

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


_BODY["requestBody"]["content"][MEDIA_TYPE] = {"schema": FinishedUpload.model_json_schema()}


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

    async def submit(self) -> SubmissionRead:
        """Take the file in, then queue what is to be done with it."""
        media_type, _, _ = self._request.headers.get("content-type", "").partition(";")
        if media_type.strip().lower() == MEDIA_TYPE:
            wanted = await read_finished_upload(self._request)
            return await to_thread.run_sync(self._finished.register, wanted)
        async with self._receiver.receive(UploadForm, require_archive) as form:
            return await to_thread.run_sync(self._register, form)

    def _register(self, form: UploadForm) -> SubmissionRead:
        form.require_upload()
        if form.options is not None:
            self._receiver.caller.require(Scope.TRAIN)
        return self._receiver.register(
            form,
            lambda jobs, dataset_id, upload: jobs.submit_upload(
                dataset_id, upload, name=form.name, options=form.options, columns=form.columns
            ),
        )


@router.post(
    DATASETS_PATH,
    status_code=202,
    summary="Upload a data set and audit it",
    openapi_extra=_BODY,
    responses=problems(
        *RECEIVING_ERRORS,
        UnknownArchiveError,
        NotFoundError,
        UploadExpiredError,
        UploadIncompleteError,
    ),
)
async def create_dataset(
    submitter: Annotated[Submitter, Depends()], response: Response
) -> SubmissionRead:
    """Answer once the upload is on disk and its job is queued."""
    submission = await submitter.submit()
    response.headers["Location"] = f"/v1/jobs/{submission.job_id}"
    return submission
