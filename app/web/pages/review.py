from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from app.accounts.schemas import Scope
from app.core.pagination import PageRequest
from app.http.deps import ContextDep, ReadSession
from app.web.access import PageReader
from app.web.rendering import render, wants_fragment
from app.web.views.queue_filters import QueueFilters
from app.web.views.review_queue import QueuePage
from app.web.views.sample_detail import SampleDetail

router = APIRouter()
PAGE_SIZE = 48
"""Whole rows in 1, 2, 3, 4, 6 and 8 columns."""
_COLUMNS = range(1, 9)
_DEFAULT_COLUMNS = 6
_COLUMNS_COOKIE = "labelaudit_columns"

FiltersDep = Annotated[QueueFilters, Depends(QueueFilters.read)]
Cursor = Annotated[str | None, Query(max_length=2000)]


@router.get("/jobs/{job_id}/review")
def review(
    request: Request,
    caller: PageReader,
    session: ReadSession,
    context: ContextDep,
    job_id: str,
    filters: FiltersDep,
    cursor: Cursor = None,
) -> Response:
    """Show the queue from where a cursor points; one page of it where only that is wanted."""
    view = QueuePage.read(
        session,
        caller.tenant_id,
        context.wake_ups,
        job_id,
        filters,
        PageRequest(limit=PAGE_SIZE, cursor=cursor),
    )
    name = "partials/review_page.html" if wants_fragment(request) else "pages/review.html"
    return render(
        request,
        name,
        view=view,
        cursor=cursor,
        columns=_columns(request),
        may_review=Scope.REVIEW in caller.scopes,
    )


@router.get("/jobs/{job_id}/samples/{sample_id}")
def sample(
    request: Request,
    caller: PageReader,
    session: ReadSession,
    context: ContextDep,
    job_id: str,
    sample_id: str,
    filters: FiltersDep,
) -> Response:
    """Show one sample, large."""
    view = SampleDetail.read(session, caller, context.wake_ups, job_id, sample_id, filters)
    may_review = Scope.REVIEW in caller.scopes
    return render(request, "pages/sample.html", view=view, may_review=may_review)


def _columns(request: Request) -> int:
    """Return how wide the reviewer likes the grid, so that it comes that way at once."""
    text = request.cookies.get(_COLUMNS_COOKIE, "")
    known = {str(number): number for number in _COLUMNS}
    return known.get(text, _DEFAULT_COLUMNS)
