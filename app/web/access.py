"""Who may see a page. The rights are those of the API."""

import re
from collections.abc import Callable
from typing import Annotated
from urllib.parse import quote, urlsplit

from fastapi import Depends, Request
from starlette.responses import RedirectResponse, Response

from app.accounts.auth import Identifier
from app.accounts.rate_limit import RateLimiter
from app.accounts.schemas import Principal, Scope
from app.http.context import AppContext
from app.http.deps import ContextDep
from app.http.middleware import require_own_page

HOME = "/datasets"
SIGN_IN = "/sign-in"
_LOCAL_PATH = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")


async def own_page(request: Request) -> None:
    """Refuse changes that pages of other sites ask for; every page route depends on this."""
    require_own_page(request.method, request.headers)


def admit(request: Request, context: AppContext) -> Principal:
    """Find out who asks for a page, and count it like a call of the API.

    Raises:
        UnauthenticatedError: Nobody whom we know.
        RateLimitedError: The tenant asks faster than it may.
    """
    principal = Identifier(context).identify(request.headers)
    limiter: RateLimiter = request.app.state.request_limiter
    limiter.count(principal)
    return principal


def page_caller(*scopes: Scope) -> Callable[[Request, ContextDep], Principal]:
    """Return a dependency that gives the caller, if they have all of these rights."""

    def caller(request: Request, context: ContextDep) -> Principal:
        principal = admit(request, context)
        request.state.principal = principal
        principal.require(*scopes)
        return principal

    return caller


PageReader = Annotated[Principal, Depends(page_caller(Scope.READ))]


def local_path(text: str | None) -> str:
    """Return a path of this service to go on to: never the address of another one."""
    if text is None or not _LOCAL_PATH.fullmatch(text) or text.startswith("/sign-"):
        return HOME
    return text


def to_sign_in(request: Request) -> Response:
    """Send the browser to the sign-in page, and back here afterwards."""
    if "hx-request" in request.headers:
        here = urlsplit(request.headers.get("hx-current-url", ""))
        target = _sign_in_url(here.path, here.query)
        return Response(status_code=401, headers={"HX-Redirect": target})
    if request.method != "GET":
        return RedirectResponse(SIGN_IN, 303)
    return RedirectResponse(_sign_in_url(request.url.path, request.url.query), 303)


def _sign_in_url(path: str, query: str) -> str:
    back = local_path(f"{path}?{query}" if query else path)
    return f"{SIGN_IN}?next={quote(back, safe='/')}"
