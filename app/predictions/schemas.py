"""What a prediction answers with."""

from uuid import UUID

from app.core.errors import AppError
from app.core.schemas import InputModel, ReadModel


class TooManyImagesError(AppError):
    """More images than one request may show."""

    status = 422
    code = "too_many_images"
    title = "Too many images"


class PredictionFailedError(AppError):
    """The job ended without an answer; its own error is a member."""

    status = 500
    code = "prediction_failed"
    title = "Prediction failed"


class NoPredictionsError(AppError):
    """A job of another kind."""

    status = 404
    code = "no_predictions"
    title = "Job without predictions"


ARTIFACT = "predictions"
"""Kind of the answer's file."""


class PredictOptions(InputModel):
    """What the job is told."""

    job_id: str
    """The audit whose model is asked."""
    files: list[str]
    """Names of the images as they came, for the answer only."""
    top_k: int


class PredictionStarted(ReadModel):
    """The answer is not there yet: read it at `url` once the job has succeeded."""

    job_id: UUID
    url: str


class ImageProblem(ReadModel):
    """Why one image has no prediction; the codes are those of rejected files."""

    code: str
    detail: str


class LabelRead(ReadModel):
    """A class and its probability."""

    label: str
    probability: float


class PredictionRead(ReadModel):
    """What the model says of one image."""

    index: int
    """Place in the request, from 0."""
    file: str
    top: list[LabelRead]
    """The most probable classes; empty where there is an error."""
    probabilities: dict[str, float] | None
    """Of all classes; the network's own, not calibrated."""
    error: ImageProblem | None


class PredictionsRead(ReadModel):
    """The answer: one item an image, in the order of the request."""

    job_id: UUID
    """Of these predictions."""
    model_job_id: UUID
    """The audit that trained the model."""
    classes: list[str]
    items: list[PredictionRead]
