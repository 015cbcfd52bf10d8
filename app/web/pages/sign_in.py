from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from app.accounts.auth import SessionCookie
from app.accounts.rate_limit import FailedSignIns, RateLimiter
from app.accounts.service import AccountService, SessionService
from app.core.errors import UnauthenticatedError
from app.http.context import AppContext
from app.http.deps import ContextDep
from app.web.access import SIGN_IN, admit, local_path
from app.web.rendering import render

router = APIRouter()
MAX_SIGN_IN_BYTES = 4096
"""A key and the way back: whoever sends more is nobody who signs in."""


@router.get(SIGN_IN)
def show_sign_in(request: Request, context: ContextDep, next: str | None = None) -> Response:  # noqa: A002 - the usual name
    """Ask for a key, unless the browser is signed in."""
    back = local_path(next)
    try:
        admit(request, context)
    except UnauthenticatedError:
        return _form(request, back)
    return RedirectResponse(back, 303)


@router.post(SIGN_IN)
def sign_in(
    request: Request,
    context: ContextDep,
    key: Annotated[str, Form(max_length=500)] = "",
    next: Annotated[str | None, Form()] = None,  # noqa: A002 - the usual name
) -> Response:
    """Begin a session; a key that is wrong keeps nobody from writing."""
    back = local_path(next)
    failures: FailedSignIns = request.app.state.failed_sign_ins
    address = request.client.host if request.client else ""
    failures.require(address)
    try:
        with context.database.ask() as asking:
            caller = AccountService(asking, context.pepper).authenticate(key.strip())
    except UnauthenticatedError:
        failures.note(address)
        return _form(request, back, failed=True)
    limiter: RateLimiter = request.app.state.request_limiter
    limiter.count(caller)
    with context.database.unit_of_work() as session:
        token = SessionService(session, context.pepper).begin(caller)
    response = RedirectResponse(back, 303)
    SessionCookie.of(context.settings).set(response, token)
    return response


@router.post("/sign-out")
def sign_out(request: Request, context: ContextDep) -> Response:
    """End the session, here and in the database."""
    cookie = SessionCookie.of(context.settings)
    token = cookie.read(request.headers)
    if token is not None and _is_known(context, token):
        with context.database.unit_of_work() as session:
            SessionService(session, context.pepper).sign_out(token)
    response = RedirectResponse(SIGN_IN, 303)
    cookie.clear(response)
    return response


def _is_known(context: AppContext, token: str) -> bool:
    """Tell whether there is anything to end: what somebody made up keeps nobody from writing."""
    try:
        with context.database.ask() as asking:
            SessionService(asking, context.pepper).identify(token)
    except UnauthenticatedError:
        return False
    return True


def _form(request: Request, back: str, *, failed: bool = False) -> Response:
    status = 401 if failed else 200
    return render(request, "pages/sign_in.html", status=status, back=back, failed=failed)
