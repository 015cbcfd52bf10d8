from app.core.errors import AppError


class NothingToPromiseError(AppError):
    """Every sample was decided on already."""

    status = 409
    code = "nothing_to_promise"
    title = "No undecided samples"


class PromiseEndedError(AppError):
    """The promise is kept, broken or closed: no answer changes it any more."""

    status = 409
    code = "promise_ended"
    title = "Promise has ended"


class CheckAnsweredError(AppError):
    """The check has an answer; undo that step of the log to answer it anew."""

    status = 409
    code = "check_answered"
    title = "Check is answered already"


class NothingToAcceptError(AppError):
    """No band has passed its checks."""

    status = 409
    code = "nothing_to_accept"
    title = "No band to accept"
