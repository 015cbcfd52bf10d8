"""Errors as pages, for browsers that asked for one."""

from starlette.requests import Request
from starlette.responses import Response

from app.http.problems import Answer
from app.web import assets
from app.web.access import to_sign_in
from app.web.rendering import render

_NEVER_PAGES = ("/v1", assets.PREFIX)
_HINTS = {
    403: "The key you signed in with may not do this. Sign in with another one, or ask whoever "
    "gave you the key.",
    404: "It may have been deleted, or the address is mistyped.",
    429: "Wait a moment and try again.",
    500: "This is our fault, not yours. Try again; if it stays, report the request id.",
    503: "Wait a moment and try again.",
}


def problem_page(request: Request, answer: Answer) -> Response | None:
    """Show an error to a person; none for everybody else."""
    if not _asks_for_page(request):
        return None
    if answer.status == 401:
        return to_sign_in(request)
    if "hx-request" in request.headers:
        return None  # our script shows the problem's text beside what failed
    return render(
        request,
        "pages/problem.html",
        status=answer.status,
        headers=answer.headers,
        answer=answer,
        hint=_HINTS.get(answer.status),
        request_id=request.state.request_id,
    )


def _asks_for_page(request: Request) -> bool:
    path = request.url.path
    if any(path == prefix or path.startswith(f"{prefix}/") for prefix in _NEVER_PAGES):
        return False
    return "text/html" in request.headers.get("accept", "") or "hx-request" in request.headers
