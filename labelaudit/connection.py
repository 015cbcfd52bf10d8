"""What both clients do with a URL, a key, an answer and a failure."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2

from labelaudit.calls import Call
from labelaudit.errors import ApiError, InputError, LabelAuditError, UnreachableError, is_transient

TIMEOUT = httpx2.Timeout(connect=10, read=60, write=60, pool=10)
# An upload may take hours, and the service answers it only when all is on disk.
UPLOAD_TIMEOUT = httpx2.Timeout(connect=10, read=600, write=None, pool=10)
LONGEST_PAUSE = 60.0
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_FIRST_PAUSE = 0.2
_IN_FLIGHT = "idempotency_in_flight"
_NEVER_BETTER = frozenset({501, 507})
_log = logging.getLogger("labelaudit")


def options(url: str, key: str | None) -> dict[str, Any]:
    """Return the options of an HTTP client for the service at `url`.

    Raises:
        InputError: The URL or the key cannot be one.
    """
    base = _parse_url(url)
    return {
        "base_url": base,
        "headers": {"Authorization": f"Bearer {_checked_key(key)}"} if key else {},
        "timeout": TIMEOUT,
        "follow_redirects": False,  # a redirect must not carry the key elsewhere
        "trust_env": base.host not in _LOOPBACK,  # no proxy stands before this machine itself
    }


def request_options(call: Call[Any]) -> dict[str, Any]:
    """Return a call as the arguments of `request`."""
    given: dict[str, Any] = {
        "method": call.method,
        "url": call.path,
        "params": dict(call.params),
        "headers": dict(call.headers),
    }
    return given if call.json is None else given | {"json": call.json}


def pause_after(call: Call[Any]) -> Callable[[Exception], bool | float]:
    """Return what says whether to send a call again, and after how many seconds."""

    def decide(error: Exception) -> bool | float:
        if not isinstance(error, LabelAuditError) or not call.repeatable:
            return False
        if isinstance(error, ApiError):
            if error.status in _NEVER_BETTER:
                return False
            if not is_transient(error) and error.code != _IN_FLIGHT:
                return False
            return True if error.retry_after is None else min(error.retry_after, LONGEST_PAUSE)
        return is_transient(error)

    return decide


def retry_options(retries: int) -> dict[str, Any]:
    """Return how often and how slowly a call is repeated."""
    return {
        "attempts": retries + 1,
        "timeout": None,
        "wait_initial": _FIRST_PAUSE,
        "wait_max": LONGEST_PAUSE,
        "wait_jitter": _FIRST_PAUSE,
    }


def answer(response: httpx2.Response) -> Any:
    """Return the JSON of a good answer; nothing where it has none.

    Raises:
        ApiError: The service answered with a problem.
        InputError: The answer is not from a Label Audit service.
    """
    raise_for_problem(response)
    if response.headers.get("deprecation"):
        _log.warning(
            "%s is deprecated and may be gone after %s",
            response.request.url.path, response.headers.get("sunset", "a day not told"),
        )  # fmt: skip
    if response.status_code == 204:
        return None
    try:
        return response.json()
    except ValueError as error:
        detail = "the answer is not from a Label Audit service"
        raise InputError(detail, code="foreign_answer", hint="check the URL") from error


def raise_for_problem(response: httpx2.Response) -> None:
    """Raise what the service complains of.

    Raises:
        ApiError: The answer is no success.
    """
    if response.is_success:
        return
    try:
        problem = response.json()
        code, detail = str(problem["code"]), str(problem["detail"])
    except (ValueError, KeyError, TypeError):  # a proxy on the way answers in its own words
        code = f"http_{response.status_code}"
        detail = f"{response.request.url} answered {response.status_code} {response.reason_phrase}"
    seconds = response.headers.get("retry-after", "")
    retry_after = float(seconds) if seconds.isascii() and seconds.isdecimal() else None
    raise ApiError(response.status_code, code, detail, retry_after=retry_after)


@contextmanager
def reachable() -> Iterator[None]:
    """Turn a broken line into an expected failure."""
    try:
        yield
    except httpx2.TransportError as error:
        raise UnreachableError(f"no answer from the service: {error}") from error


def as_text(name: str) -> str:
    """Return a file name that can be sent, whatever bytes it has on disk."""
    return name.encode(errors="replace").decode()


def _parse_url(url: str) -> httpx2.URL:
    hint = "for example http://127.0.0.1:8000"
    try:
        parsed = httpx2.URL(url.rstrip("/") + "/")
    except httpx2.InvalidURL as error:
        raise InputError(f"{url} is no URL: {error}", code="invalid_url", hint=hint) from error
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise InputError(f"{url} is no http URL", code="invalid_url", hint=hint)
    return parsed


def _checked_key(key: str) -> str:
    key = key.strip()
    if not (key.isascii() and key.isprintable()):
        raise InputError("the API key has characters that no key has", code="invalid_key")
    return key
