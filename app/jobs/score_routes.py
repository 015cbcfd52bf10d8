"""`POST /v1/scores`: predicted probabilities in, findings out, no training between."""

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Request, Response

from app.accounts.idempotency import StreamingRoute
from app.core.errors import NotFoundError
from app.datasets.incoming import require_scores
from app.datasets.schemas import UnknownScoresError
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
from app.jobs.schemas import FinishedScores, SubmissionRead
from app.jobs.upload_form import FileForm, read_name
from app.uploads.schemas import UploadExpiredError, UploadIncompleteError

SCORES_PATH = "/v1/scores"

router = APIRouter(tags=["data sets"], route_class=StreamingRoute)

_DESCRIPTION = """
Probabilities that a model of your own predicted for samples it was **not** trained on (such as by
cross-validation) are judged like those of our training: the job ends with the same findings and the
same report, without a model. `path` of a finding is the row number in the file, from 0.

* **npz** (`numpy.savez`): `pred_probs`, float, N x C, rows that sum to 1; `given_label`, integer,
  N, from 0 to C - 1; optional `features`, float, N x D, and `class_names`, C strings. Without names
  a class is called by its number. Other arrays are left out and listed among the warnings.
* **Parquet**: a column `pred_probs` of lists of C numbers, or the columns `p_0` to `p_{C-1}`;
  `given_label`, integer or class name; optional `features`, lists of D numbers. Class names may
  stand in the file's metadata as `class_names`, a JSON list in the order of the probabilities;
  where labels are names and there is no such list, that order is taken to be the sorted one.

What is wrong inside the file ends the job `failed` with the code `invalid_scores` and a detail that
names the array and the row.
"""

_BODY = form_body("npz or Parquet with `pred_probs` and `given_label`")


_BODY["requestBody"]["content"][MEDIA_TYPE] = {"schema": FinishedScores.model_json_schema()}


class ScoreSubmitter:
    """Takes one file of scores in, or one that came in parts before, and registers it."""

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
        """Stream the file to disk, then queue the job that reads it."""
        if is_finished_upload(self._request):
            wanted = await read_finished_upload(self._request, FinishedScores)
            return await to_thread.run_sync(self._register_finished, wanted)
        async with self._receiver.receive(FileForm, require_scores) as form:
            return await to_thread.run_sync(self._register, form)

    def _register(self, form: FileForm) -> SubmissionRead:
        return self._receiver.register(form, _submission(form.name))

    def _register_finished(self, wanted: FinishedScores) -> SubmissionRead:
        submit = _submission(read_name(wanted.name))
        return self._finished.register(wanted, submit, require_scores)


def _submission(name: str | None) -> Submit:
    return lambda jobs, dataset_id, upload: jobs.submit_scores(dataset_id, upload, name=name)


@router.post(
    SCORES_PATH,
    status_code=202,
    summary="Find wrong labels from predicted probabilities",
    description=_DESCRIPTION,
    openapi_extra=_BODY,
    responses=problems(
        *RECEIVING_ERRORS,
        UnknownScoresError,
        NotFoundError,
        UploadExpiredError,
        UploadIncompleteError,
    ),
)
async def create_scores(
    submitter: Annotated[ScoreSubmitter, Depends()], response: Response
) -> SubmissionRead:
    """Answer once the file is streamed to disk and its job is queued."""
    submission = await submitter.submit()
    response.headers["Location"] = f"/v1/jobs/{submission.job_id}"
    return submission
