"""How an attempt can end other than well."""

NO_SPACE = ("no_space", "the data volume is full")
"""Code and detail of a job that met a full disk."""


class ChildFailedError(Exception):
    """The child reports why it cannot go on; the user reads the same code and detail."""

    def __init__(self, code: str, detail: str) -> None:
        """Keep the stable code and the sentence for the user."""
        super().__init__(detail)
        self.code = code
        self.detail = detail


class InterruptedWorkError(Exception):
    """The child stops at a safe point, because its supervisor asked it to."""


class ChildLostError(Exception):
    """The child ended without a word: killed, crashed, out of memory."""

    def __init__(self, detail: str, *, exit_code: int | None = None) -> None:
        """Keep the exit code; negative is the number of the signal that ended the child."""
        super().__init__(detail)
        self.exit_code = exit_code


class CancelledError(Exception):
    """The user asked for it."""


class DrainedError(Exception):
    """This worker is shutting down; the job goes on elsewhere, or here later."""
