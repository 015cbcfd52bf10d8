from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from app.http.deps import ContextDep, ReadSession
from app.web.access import HOME, PageReader
from app.web.paging import CursorDep
from app.web.rendering import render, wants_fragment
from app.web.views.dataset_list import DatasetList

router = APIRouter()
_PAGE_SIZE = 20


@router.get("/")
def go_home() -> Response:
    """Lead to the data sets."""
    return RedirectResponse(HOME, 303)


@router.get(HOME)
def list_datasets(
    request: Request,
    caller: PageReader,
    session: ReadSession,
    context: ContextDep,
    cursor: CursorDep,
) -> Response:
    """Show the data sets, newest first; a part of the page where only that is wanted."""
    view = DatasetList.read(
        session,
        caller.tenant_id,
        context.wake_ups,
        cursor.wanted(_PAGE_SIZE),
    )
    name = "partials/dataset_list.html" if wants_fragment(request) else "pages/datasets.html"
    origin = str(request.base_url).rstrip("/")
    return render(
        request,
        name,
        view=view,
        next_cursor=cursor.following(view.next_cursor),
        is_first_page=cursor.text is None,
        origin=origin,
    )
