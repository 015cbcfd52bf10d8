"""What comes back from the service: answers, problems, or nothing at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2

from labelaudit.errors import ApiError, InputError, UnreachableError


def as_text(name: str) -> str:
    """Return a file name that can be sent, whatever bytes it has on disk."""
    return name.encode(errors="replace").decode()


@contextmanager
def reachable() -> Iterator[None]:
    """Say of a request in this block that the service does not answer.

    Raises:
        UnreachableError: It does not.
    """
    try:
        yield
    except httpx2.TransportError as error:
        raise UnreachableError(f"no answer from the service: {error}") from error


def answer(response: httpx2.Response) -> dict[str, Any]:
    """Return the object that the service answered with.

    Raises:
        ApiError: It is a problem.
        InputError: It is nothing that a Label Audit service says.
    """
    raise_for_problem(response)
    try:
        content: dict[str, Any] = response.json()
    except ValueError as error:
        detail = "the answer is not from a Label Audit service"
        raise InputError(detail, code="foreignanswer", hint="check the URL") from error
    return content


def raise_for_problem(response: httpx2.Response) -> None:
    """Go on only with an answer that is none.

    Raises:
        ApiError: It is a problem.
    """
    if response.is_success:
        return
    try:
        problem = response.json()
        code, detail = str(problem["code"]), str(problem["detail"])
    except (ValueError, KeyError, TypeError):  # a proxy on the way answers in its own words
        code = f"http_{response.status_code}"
        detail = f"{response.request.url} answered {response.status_code} {response.reason_phrase}"
    raise ApiError(response.status_code, code, detail)
