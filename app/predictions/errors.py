from app.core.errors import AppError


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
