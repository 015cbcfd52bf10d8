"""Pages from templates: escaped by default, under a policy that runs only our own files.

Errors are pages too, for browsers that asked for one.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from app.http.context import AppContext
from app.http.problems import Answer
from app.web import assets
from app.web.access import to_sign_in
from app.web.text import FILTERS

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    # The page shows one tenant's data: nothing of it may be left after signing out.
    "Cache-Control": "no-store",
    # With `no-referrer` browsers hide the origin of a form, by which we know our own pages.
    "Referrer-Policy": "same-origin",
}
_THEMES = frozenset({"light", "dark"})
_THEME_COOKIE = "labelaudit_theme"

_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters.update(FILTERS)
_environment.globals["static"] = assets.url_of


def render(
    request: Request,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **values: Any,
) -> HTMLResponse:
    """Fill in a template; what all pages need is added here."""
    context: AppContext = request.app.state.context
    theme = request.cookies.get(_THEME_COOKIE)
    html = _environment.get_template(template).render(
        path=request.url.path,
        theme=theme if theme in _THEMES else None,
        user=getattr(request.state, "principal", None),
        asks_for_keys=context.settings.auth == "on",
        **values,
    )
    return HTMLResponse(html, status, {**_HEADERS, **(headers or {})})


def wants_fragment(request: Request) -> bool:
    """Tell whether htmx asks for a part of the page."""
    return request.headers.get("hx-request-type") == "partial"


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
