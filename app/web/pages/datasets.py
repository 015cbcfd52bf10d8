from fastapi import APIRouter, Request
from starlette.responses import Response

from app.core.pagination import PageRequest
from app.http.deps import ContextDep, ReadSession
from app.web.access import HOME, PageReader
from app.web.rendering import render, wants_fragment
from app.web.views.dataset_list import DatasetList

router = APIRouter()
_PAGE_SIZE = 20


@router.get(HOME)
def list_datasets(
    request: Request,
    caller: PageReader,
    session: ReadSession,
    context: ContextDep,
    cursor: str | None = None,
) -> Response:
    """Show the data sets, newest first; a part of the page where only that is wanted."""
    view = DatasetList.read(
        session,
        caller.tenant_id,
        context.wake_ups,
        PageRequest(limit=_PAGE_SIZE, cursor=cursor),
    )
    name = "partials/dataset_list.html" if wants_fragment(request) else "pages/datasets.html"
    origin = str(request.base_url).rstrip("/")
    return render(request, name, view=view, is_first_page=cursor is None, origin=origin)
