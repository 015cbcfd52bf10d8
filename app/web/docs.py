"""The API's documentation page; all it needs is packaged, so that it works offline."""

from fastapi import APIRouter
from starlette.responses import FileResponse, Response

from app.web.assets import FOLDER

router = APIRouter(include_in_schema=False)

# Swagger UI sets styles on elements and draws its icons from data URLs.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


@router.get("/docs", summary="API documentation")
def get_docs() -> Response:
    """Show `/openapi.json` with Swagger UI."""
    return FileResponse(
        FOLDER / "docs" / "index.html",
        media_type="text/html",
        headers={"Content-Security-Policy": _POLICY},
    )
