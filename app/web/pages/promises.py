from fastapi import APIRouter, Request
from starlette.responses import Response

from app.accounts.schemas import Scope
from app.http.deps import ContextDep, ReadSession
from app.web.access import PageReader
from app.web.paging import CursorDep
from app.web.rendering import render
from app.web.views.promises import PromisePage, PromisesPage

router = APIRouter()
_PAGE_SIZE = 20


@router.get("/jobs/{job_id}/review/promises")
def promises(
    request: Request,
    caller: PageReader,
    session: ReadSession,
    context: ContextDep,
    job_id: str,
    cursor: CursorDep,
) -> Response:
    """Show what is promised of an audit, and open another promise."""
    view = PromisesPage.read(session, caller, context.wake_ups, job_id, cursor.wanted(_PAGE_SIZE))
    return render(
        request,
        "pages/promises.html",
        view=view,
        may_review=Scope.REVIEW in caller.scopes,
        next_cursor=cursor.following(view.next_cursor),
    )


@router.get("/promises/{promise_id}")
def promise(
    request: Request, caller: PageReader, session: ReadSession, context: ContextDep, promise_id: str
) -> Response:
    """Show one promise with what is proved, and the next check."""
    view = PromisePage.read(session, caller, context.wake_ups, promise_id)
    may_review = Scope.REVIEW in caller.scopes
    return render(request, "pages/promise.html", view=view, may_review=may_review)
