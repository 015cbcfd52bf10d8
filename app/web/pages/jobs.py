from fastapi import APIRouter, Request
from starlette.responses import Response

from app.core.ids import not_found
from app.exports.schemas import ExportFormat
from app.http.deps import ContextDep, ReadSession
from app.web.access import PageReader
from app.web.rendering import render, wants_fragment
from app.web.text import EXPORT_FORMATS
from app.web.views.job_page import JobPage, read_suspects

router = APIRouter(prefix="/jobs/{job_id}")


@router.get("")
def show_job(
    request: Request, job_id: str, caller: PageReader, session: ReadSession, context: ContextDep
) -> Response:
    """Show how a job stands and what it found; a part of the page where only that is wanted."""
    view = JobPage.read(
        session, caller.tenant_id, context.wake_ups, context.blobs(caller.tenant_id), job_id
    )
    name = "partials/job.html" if wants_fragment(request) else "pages/job.html"
    formats = [(choice.value, EXPORT_FORMATS[choice]) for choice in ExportFormat]
    return render(request, name, view=view, formats=formats)


@router.get("/report")
def show_report(
    request: Request, job_id: str, caller: PageReader, session: ReadSession, context: ContextDep
) -> Response:
    """Show what an audit found on one page that prints well."""
    tenant_id = caller.tenant_id
    view = JobPage.read(session, tenant_id, context.wake_ups, context.blobs(tenant_id), job_id)
    suspects = read_suspects(session, tenant_id, context.wake_ups, job_id)
    if view.report is None:
        raise not_found("report")
    return render(request, "pages/report.html", view=view, suspects=suspects)
