from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.accounts.schemas import Scope
from app.findings.query import Verdict
from app.http.deps import ContextDep, ReadSession
from app.web.access import PageReader
from app.web.paging import CursorDep
from app.web.rendering import render, wants_fragment
from app.web.views.queue_filters import QueueFilters
from app.web.views.review_queue import DifferencesPage, FirstLookPage, QueuePage, SharePage
from app.web.views.sample_detail import SampleDetail, SampleEvidence

router = APIRouter(prefix="/jobs/{job_id}")
PAGE_SIZE = 48
"""Whole rows in 1, 2, 3, 4, 6 and 8 columns."""
NUM_FIRST_LOOKS = 30
"""So many decisions narrow the intervals of a report (docs/decisions/0075)."""
_KINDS = [
    Verdict.CONFLICT, Verdict.MISLABELED, Verdict.OFF_TOPIC, Verdict.DUPLICATE, Verdict.AMBIGUOUS,
    Verdict.HARD, Verdict.CLEAN, Verdict.NOT_JUDGED, Verdict.VERIFIED,
]  # fmt: skip
"""Those that want a look come first."""
_COLUMNS = range(1, 9)
_DEFAULT_COLUMNS = 6
_COLUMNS_COOKIE = "labelaudit_columns"

FiltersDep = Annotated[QueueFilters, Depends(QueueFilters.read)]


@router.get("/review")
def review(
    request: Request,
    caller: PageReader,
    session: ReadSession,
    context: ContextDep,
    job_id: str,
    filters: FiltersDep,
    cursor: CursorDep,
) -> Response:
    """Show the queue from where a cursor points; one page of it where only that is wanted."""
    view = QueuePage.read(
        session,
        caller.tenant_id,
        context.wake_ups,
        job_id,
        filters,
        cursor.wanted(PAGE_SIZE),
    )
    return _board(
        request,
        "review",
        may_review=_may_review(caller),
        view=view,
        cursor=cursor.text,
        next_cursor=cursor.following(view.page.next_cursor),
        kinds=_KINDS,
    )


@router.get("/review/first-look")
def first_look(
    request: Request,
    caller: PageReader,
    session: ReadSession,
    context: ContextDep,
    job_id: str,
    cursor: CursorDep,
) -> Response:
    """Show the samples to look at first, thirty at a time."""
    wanted = cursor.wanted(NUM_FIRST_LOOKS)
    view = FirstLookPage.read(session, caller, context.wake_ups, job_id, wanted)
    return _board(
        request,
        "first_look",
        may_review=_may_review(caller),
        view=view,
        cursor=cursor.text,
        next_cursor=cursor.following(view.next_cursor),
    )


@router.get("/review/share")
def share(
    request: Request, caller: PageReader, session: ReadSession, context: ContextDep, job_id: str
) -> Response:
    """Show what the reviewer holds, all of it."""
    view = SharePage.read(session, caller, context.wake_ups, job_id)
    return _board(request, "share", may_review=_may_review(caller), view=view)


@router.get("/review/differences")
def differences(
    request: Request,
    caller: PageReader,
    session: ReadSession,
    context: ContextDep,
    job_id: str,
    cursor: CursorDep,
) -> Response:
    """Show the samples that reviewers see differently."""
    wanted = cursor.wanted(PAGE_SIZE)
    view = DifferencesPage.read(session, caller, context.wake_ups, job_id, wanted)
    return _board(
        request,
        "differences",
        may_review=_may_review(caller),
        view=view,
        cursor=cursor.text,
        next_cursor=cursor.following(view.next_cursor),
    )


@router.get("/samples/{sample_id}")
def sample(
    request: Request,
    caller: PageReader,
    session: ReadSession,
    context: ContextDep,
    job_id: str,
    sample_id: str,
    filters: FiltersDep,
    *,
    share: bool = False,
) -> Response:
    """Show one sample, large; `share` makes its neighbours those that the reviewer holds."""
    view = SampleDetail.read(
        session, caller, context.wake_ups, job_id, sample_id, filters, of_share=share
    )
    evidence = None
    if not view.tile.is_blind:
        blobs = context.blobs(caller.tenant_id)
        evidence = SampleEvidence.read(session, caller, context.wake_ups, blobs, job_id, sample_id)
    may_review = _may_review(caller)
    return render(request, "pages/sample.html", view=view, evidence=evidence, may_review=may_review)


def _board(request: Request, name: str, **values: Any) -> Response:
    """Show a page with tiles, or only the tiles where a script asks for them."""
    folder = f"partials/{name}_page" if wants_fragment(request) else f"pages/{name}"
    return render(request, f"{folder}.html", columns=_columns(request), **values)


def _may_review(caller: PageReader) -> bool:
    return Scope.REVIEW in caller.scopes


def _columns(request: Request) -> int:
    """Return how wide the reviewer likes the grid, so that it comes that way at once."""
    text = request.cookies.get(_COLUMNS_COOKIE, "")
    known = {str(number): number for number in _COLUMNS}
    return known.get(text, _DEFAULT_COLUMNS)
