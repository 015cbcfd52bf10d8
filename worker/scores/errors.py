INVALID_SCORES = "invalid_scores"
"""The code of all that can be wrong inside a file; part of the API."""


class InvalidScoresError(Exception):
    """The file cannot be judged; the user sees which array or row is wrong, and how."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail
