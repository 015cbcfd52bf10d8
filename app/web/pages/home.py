from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from app.web.access import HOME

router = APIRouter()


@router.get("/")
def go_home() -> Response:
    """Lead to the data sets."""
    return RedirectResponse(HOME, 303)
