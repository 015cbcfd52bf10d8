"""`POST /v1/jobs/{id}/predict`: images in, class probabilities out."""

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from starlette.responses import JSONResponse

from app.accounts.idempotency import REPLAYED, StreamingRoute
from app.accounts.schemas import QuotaExceededError
from app.core.errors import InvalidRequestError, NoSpaceError, NotFoundError, PayloadTooLargeError
from app.datasets.schemas import MissingFileError
from app.findings.schemas import NoFindingsError, NoModelError, NotFinishedError
from app.http.errors import (
    COMMON_ERRORS,
    TruncatedUploadError,
    UnsupportedMediaTypeError,
    ValidationFailedError,
)
from app.http.problems import problems
from app.predictions.receiver import PredictionReceiver, started
from app.predictions.schemas import (
    NoPredictionsError,
    PredictionFailedError,
    PredictionsRead,
    PredictionStarted,
    TooManyImagesError,
)

MAX_WAIT_SECONDS = 30
_MAX_TOP = 1000
_PATH = re.compile(r"/v1/jobs/[^/]+/predict")
_DESCRIPTION = """
Send one or several images as `file` (JPEG, PNG, WebP, BMP). They are prepared as in the training
and shown to the audit's network by a `predict` job of its own, which is waited for up to `wait`
seconds: then the answer is 200, else 202 with the job, and the same answer is at
`/v1/jobs/{predict_job_id}/predictions` later. An image that cannot be used has an `error` with the
code that an upload would report, and the others are answered all the same.
"""
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "additionalProperties": False,
                    "properties": {
                        "file": {"type": "array", "items": {"type": "string", "format": "binary"}}
                    },
                }
            }
        },
    }
}

router = APIRouter(
    prefix="/v1/jobs/{job_id}",
    tags=["predictions"],
    route_class=StreamingRoute,
    responses=problems(
        *COMMON_ERRORS,
        NotFoundError,
    ),
)

ReceiverDep = Annotated[PredictionReceiver, Depends()]


def is_predict_path(path: str) -> bool:
    """Tell whether a path takes images in a stream."""
    return _PATH.fullmatch(path) is not None


@router.post(
    "/predict",
    summary="Have the model of an audit classify images",
    description=_DESCRIPTION,
    response_model=PredictionsRead,
    openapi_extra=_BODY,
    responses={
        202: {"model": PredictionStarted, "description": "Not finished yet"},
        **problems(
            InvalidRequestError,
            TruncatedUploadError,
            NotFoundError,
            NoModelError,
            NotFinishedError,
            NoFindingsError,
            QuotaExceededError,
            PayloadTooLargeError,
            UnsupportedMediaTypeError,
            ValidationFailedError,
            MissingFileError,
            TooManyImagesError,
            PredictionFailedError,
            NoSpaceError,
        ),
    },
)
async def create_predictions(
    job_id: str,
    receiver: ReceiverDep,
    top_k: Annotated[int, Query(ge=1, le=_MAX_TOP)] = 5,
    wait: Annotated[float, Query(ge=0, le=MAX_WAIT_SECONDS)] = MAX_WAIT_SECONDS,
) -> Response:
    """Stream the images to disk, then wait for their job."""
    predict_id, is_repeated = await receiver.submit(job_id, top_k=top_k)
    headers = {REPLAYED: "true"} if is_repeated else {}
    content = await receiver.wait(predict_id, seconds=wait)
    if content is not None:
        return Response(content, media_type="application/json", headers=headers)
    headers |= {"Location": f"/v1/jobs/{predict_id}"}
    body = started(predict_id).model_dump(mode="json")
    return JSONResponse(body, status_code=202, headers=headers)


@router.get(
    "/predictions",
    summary="Read the answer of a predict job",
    response_model=PredictionsRead,
    responses=problems(NotFoundError, NoPredictionsError, NotFinishedError),
)
def get_predictions(job_id: str, receiver: ReceiverDep) -> Response:
    """What the first request would have been answered, had it waited."""
    return Response(receiver.answer(job_id), media_type="application/json")
