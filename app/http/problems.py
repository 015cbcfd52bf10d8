"""One renderer for everything that goes wrong: RFC 9457 `application/problem+json`."""

import traceback
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import structlog
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import override

from app.core.db import DATABASE_ERRORS
from app.core.disk import is_disk_full
from app.core.errors import (
    AppError,
    InvalidRequestError,
    NoSpaceError,
    NotFoundError,
    PayloadTooLargeError,
)
from app.http.errors import (
    DatabaseUnavailableError,
    MethodNotAllowedError,
    RequestTimeoutError,
    ValidationFailedError,
)
from app.http.middleware import HttpMiddleware, methods_of

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:labelaudit:problem:"
CODES = "x-problem-codes"
"""Member of a response in the OpenAPI document: the codes that it may have."""
_RETRY_AFTER_SECONDS = "5"
_BY_STATUS: dict[int, type[AppError]] = {
    error.status: error
    for error in (
        InvalidRequestError,
        NotFoundError,
        MethodNotAllowedError,
        PayloadTooLargeError,
        RequestTimeoutError,
    )
}
_log = structlog.get_logger(__name__)


class InvalidField(BaseModel):
    """One value that was not accepted."""

    loc: list[str | int]
    message: str
    code: str


class Problem(BaseModel):
    """An error as RFC 9457 puts it; some codes carry further members."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[InvalidField] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is told of an error, in whatever form."""

    status: int
    code: str
    title: str
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)


RenderPage = Callable[[Request, Answer], Response | None]


class ProblemRenderer:
    """Turns any exception into a problem."""

    def __init__(self, own_codes: Collection[str], page: RenderPage | None = None) -> None:
        """Lift validation errors of a type in `own_codes` to the problem's own code.

        `page` may answer in a form for people instead, or return none.
        """
        self._own_codes = own_codes
        self._page = page

    async def handle(self, request: Request, error: Exception) -> Response:
        """Answer `error`: the signature is that of an exception handler."""
        answer = self._answer(error)
        headers = dict(answer.headers)
        if answer.status == MethodNotAllowedError.status:
            headers["Allow"] = methods_of(request.app.openapi(), request.url.path)
        if not isinstance(error, AppError | HTTPException | RequestValidationError):
            # For us only: a database error would put its SQL into the reply. Formatted here,
            # since a renderer that shows local variables would log the caller's key.
            trace = "".join(traceback.format_exception(error))
            _log.error("request_failed", code=answer.code, path=request.url.path, trace=trace)
        page = self._page(request, answer) if self._page is not None else None
        if page is not None:
            return page
        body = {
            "type": f"{TYPE_PREFIX}{answer.code}",
            "title": answer.title,
            "status": answer.status,
            "detail": answer.detail,
            "code": answer.code,
            "request_id": request.state.request_id,
            **answer.extra,
        }
        return JSONResponse(body, answer.status, headers, media_type=MEDIA_TYPE)

    def _answer(self, error: Exception) -> Answer:
        match error:
            case AppError():
                return _of_app_error(error)
            case RequestValidationError():
                return self._of_validation_error(error)
            case HTTPException():
                return _of_http_exception(error)
            case _ if is_disk_full(error):
                return _of_app_error(NoSpaceError("The data volume is full. Try again later."))
            case _ if isinstance(error, DATABASE_ERRORS):
                return _of_app_error(
                    DatabaseUnavailableError(
                        "The database does not answer. Try again soon.",
                        headers={"Retry-After": _RETRY_AFTER_SECONDS},
                    )
                )
            case _:
                return _of_app_error(AppError("Something went wrong inside the service."))

    def _of_validation_error(self, error: RequestValidationError) -> Answer:
        fields = [
            InvalidField(loc=list(item["loc"]), message=item["msg"], code=item["type"])
            for item in error.errors()
        ]
        own = next((field for field in fields if field.code in self._own_codes), None)
        return Answer(
            status=ValidationFailedError.status,
            code=own.code if own else ValidationFailedError.code,
            title=ValidationFailedError.title,
            detail=own.message if own else _summary(fields),
            extra={"errors": [field.model_dump() for field in fields]},
        )


class ProblemMiddleware(HttpMiddleware):
    """Answers what the framework's own handlers do not see, auth failures and bugs included."""

    def __init__(self, app: ASGIApp, renderer: ProblemRenderer) -> None:
        """Wrap `app`."""
        super().__init__(app)
        self._renderer = renderer

    @override
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception as error:
            if started:
                raise  # half a reply is out: the server can only hang up
            response = await self._renderer.handle(Request(scope), error)
            await response(scope, receive, send)


def problems(*errors: type[AppError]) -> dict[int | str, dict[str, Any]]:
    """Declare, for `responses=`, the errors that a route may answer."""
    by_status: dict[int, list[str]] = {}
    for error in errors:
        by_status.setdefault(error.status, []).append(error.code)
    return {
        status: {"model": Problem, "description": "", CODES: codes}
        for status, codes in by_status.items()
    }


def error_types(base: type[AppError] = AppError) -> list[type[AppError]]:
    """Return all errors that may be answered, by status and code."""
    found = {base.code: base}
    for error in base.__subclasses__():
        found |= {sub.code: sub for sub in error_types(error)}
    return sorted(found.values(), key=lambda error: (error.status, error.code))


def _of_app_error(error: AppError) -> Answer:
    return Answer(
        status=error.status,
        code=error.code,
        title=error.title,
        detail=error.detail,
        headers=error.headers,
        extra=error.extra,
    )


def _of_http_exception(error: HTTPException) -> Answer:
    known = _BY_STATUS.get(error.status_code)
    return Answer(
        status=error.status_code,
        code=known.code if known else f"http_{error.status_code}",
        title=known.title if known else HTTPStatus(error.status_code).phrase,
        detail=str(error.detail),
        headers=error.headers or {},
    )


def _summary(fields: list[InvalidField]) -> str:
    return "; ".join(f"{'.'.join(map(str, field.loc))}: {field.message}" for field in fields[:5])
