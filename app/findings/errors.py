from app.core.errors import AppError


class NotFinishedError(AppError):
    """Results are shown once the job has succeeded, never in part."""

    status = 409
    code = "not_finished"
    title = "Job not finished"


class NoFindingsError(AppError):
    """A job that only took a data set in judges no labels."""

    status = 409
    code = "no_findings"
    title = "Job without findings"


class NoModelError(AppError):
    """A job that judged uploaded probabilities trains no model."""

    status = 404
    code = "no_model"
    title = "Job without a model"


class UnknownSortError(AppError):
    """An order that the list does not have."""

    status = 422
    code = "unknown_sort"
    title = "Unknown order"


class FormNotMadeError(AppError):
    """A form of the model that no version made when this audit ended."""

    status = 404
    code = "form_not_made"
    title = "Form not made"


class FormatNotAvailableError(AppError):
    """A form of the model whose extra was not installed where the audit ran."""

    status = 501
    code = "format_not_available"
    title = "Format not available"


class CursorExpiredError(AppError):
    """The results that a walk went through were replaced more than a day ago."""

    status = 410
    code = "cursor_expired"
    title = "Cursor expired"
