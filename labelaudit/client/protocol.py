"""What both clients do with a URL, a key, an answer and a failure."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import httpx2

from labelaudit.errors import ApiError, InputError, LabelAuditError, UnreachableError, is_transient

RETRIES = 4
PAGE = 500
# An upload may take hours, and the service answers it only when all of it is on disk.
UPLOAD_TIMEOUT = httpx2.Timeout(connect=10, read=600, write=None, pool=10)
PREDICT_TIMEOUT = httpx2.Timeout(connect=10, read=90, write=60, pool=10)
LONGEST_PAUSE = 60.0
_TIMEOUT = httpx2.Timeout(connect=10, read=60, write=60, pool=10)
_FIRST_PAUSE = 0.2
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_IN_FLIGHT = "idempotency_in_flight"
_NEVER_BETTER = frozenset({501, 507})
_log = logging.getLogger("labelaudit")


def http_options(url: str, key: str | None) -> dict[str, Any]:
    """Return the options of an HTTP client for the service at `url`.

    Raises:
        InputError: The URL or the key is malformed.
    """
    base = _parse_url(url)
    return {
        "base_url": base,
        "headers": {"Authorization": f"Bearer {_checked_key(key)}"} if key else {},
        "timeout": _TIMEOUT,
        "follow_redirects": False,  # a redirect must not carry the key elsewhere
        "trust_env": base.host not in _LOOPBACK,  # this machine itself needs no proxy
    }


def retry_options(retries: int) -> dict[str, Any]:
    """Return which failures are retried, how often and how slowly."""
    return {
        "on": _pause_after,
        "attempts": retries + 1,
        "timeout": None,
        "wait_initial": _FIRST_PAUSE,
        "wait_max": LONGEST_PAUSE,
        "wait_jitter": _FIRST_PAUSE,
    }


def _pause_after(error: Exception) -> bool | float:
    """Return whether to send a request again, or after how many seconds."""
    if isinstance(error, ApiError):
        may_help = is_transient(error) or error.code == _IN_FLIGHT
        if not may_help or error.status in _NEVER_BETTER:
            return False
        return True if error.retry_after is None else min(error.retry_after, LONGEST_PAUSE)
    return isinstance(error, LabelAuditError) and is_transient(error)


def once() -> dict[str, str]:
    """Return the header of a POST that is carried out once, however often it is sent."""
    return {"Idempotency-Key": uuid4().hex}


def query(filters: Mapping[str, object]) -> dict[str, str]:
    """Return filters as the parameters of a URL; a filter that is None is left out."""
    return {name: _as_parameter(value) for name, value in filters.items() if value is not None}


def _as_parameter(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def answer(response: httpx2.Response) -> Any:
    """Return the JSON of a good answer, or None if it has no content.

    Raises:
        ApiError: The service answered with a problem.
        InputError: The answer is not from a Label Audit service.
    """
    raise_for_problem(response)
    if response.headers.get("deprecation"):
        _log.warning(
            "%s is deprecated and may be gone after %s",
            response.request.url.path, response.headers.get("sunset", "an unknown day"),
        )  # fmt: skip
    if response.status_code == 204:
        return None
    try:
        return response.json()
    except ValueError as error:
        detail = "the answer is not from a Label Audit service"
        raise InputError(detail, code="foreign_answer", hint="check the URL") from error


def raise_for_problem(response: httpx2.Response) -> None:
    """Raise the problem that a response holds.

    Raises:
        ApiError: The response is no success.
    """
    if response.is_success:
        return
    try:
        problem = response.json()
        code, detail = str(problem["code"]), str(problem["detail"])
    except (ValueError, KeyError, TypeError):  # a proxy answered, not the service
        code = f"http_{response.status_code}"
        detail = f"{response.request.url} answered {response.status_code} {response.reason_phrase}"
    seconds = response.headers.get("retry-after", "")
    retry_after = float(seconds) if seconds.isascii() and seconds.isdecimal() else None
    raise ApiError(response.status_code, code, detail, retry_after=retry_after)


@contextmanager
def reachable() -> Iterator[None]:
    """Raise UnreachableError for a broken connection."""
    try:
        yield
    except httpx2.TransportError as error:
        raise UnreachableError(f"no answer from the service: {error}") from error


def as_text(name: str) -> str:
    """Return a file name as text that can be sent; bytes that are no text are replaced."""
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
