from app.core.errors import AppError


class VersionConflictError(AppError):
    """Somebody decided in between: look again before you overwrite it."""

    status = 412
    code = "version_conflict"
    title = "Sample changed meanwhile"


class CountChangedError(AppError):
    """The filter meets other samples than the dry run showed."""

    status = 412
    code = "count_changed"
    title = "Number of samples changed"


class NoSuggestionError(AppError):
    """The audit says nothing of some of the samples."""

    status = 422
    code = "no_suggestion"
    title = "No suggestion to accept"


class NothingToRevertError(AppError):
    """There is no step to undo, or to redo."""

    status = 409
    code = "nothing_to_revert"
    title = "Nothing to undo or redo"


class StepStateError(AppError):
    """The step is undone already, or it is not undone."""

    status = 409
    code = "step_state"
    title = "Step is in that state already"


class StepOvertakenError(AppError):
    """Samples of the step were decided again since; undo that first."""

    status = 409
    code = "step_overtaken"
    title = "Later decisions stand on this one"
