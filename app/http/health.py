"""For load balancers and people: is it alive, can it work?"""

from collections.abc import Callable
from typing import Literal

import structlog
from fastapi import APIRouter, Response, status

from app.core.blobs import StoreState
from app.core.disk import free_bytes
from app.core.migrate import is_current
from app.core.schemas import ReadModel
from app.http.context import AppContext
from app.http.deps import ContextDep

router = APIRouter(tags=["operation"])
_log = structlog.get_logger(__name__)

CheckState = Literal["ok", "degraded", "failed"]
_STORE_CHECKS: dict[StoreState, CheckState] = {
    StoreState.USABLE: "ok",
    # What lies in the database is answered, and workers wait for the store.
    StoreState.SILENT: "degraded",
    # Somebody has to mend these; until then every job would fail.
    StoreState.NO_BUCKET: "failed",
    StoreState.REFUSED: "failed",
}


class Health(ReadModel):
    """A process that answers is alive."""

    status: Literal["ok"]


class Readiness(ReadModel):
    """`degraded` still takes work: what it lacks is made up for later."""

    status: CheckState
    checks: dict[str, CheckState]


@router.get("/healthz", summary="Whether the process is alive")
def get_health() -> Health:
    """Answer without looking at anything."""
    return Health(status="ok")


@router.get(
    "/readyz",
    summary="Whether the service can take work",
    responses={503: {"model": Readiness, "description": "It cannot"}},
)
def get_readiness(context: ContextDep, response: Response) -> Readiness:
    """Look at everything that a request may need."""
    readiness = _readiness(context)
    if readiness.status == "failed":
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    return readiness


def _readiness(context: AppContext) -> Readiness:
    settings = context.settings
    checks: dict[str, CheckState] = {
        "database": _check(lambda: is_current(context.database), "failed"),
        "disk": _check(lambda: free_bytes(settings.data_dir) >= settings.min_free_bytes, "failed"),
        # Jobs wait in their table: the sweeper sends the wake-ups once the broker is back.
        "broker": _check(context.broker.answer, "degraded"),
        "store": _STORE_CHECKS[context.store.answer()],
    }
    worst = next((state for state in ("failed", "degraded") if state in checks.values()), "ok")
    return Readiness.model_validate({"status": worst, "checks": checks})


def _check(probe: Callable[[], bool], otherwise: CheckState) -> CheckState:
    try:
        return "ok" if probe() else otherwise
    except Exception as error:  # noqa: BLE001 - whatever a probe dies of is its answer
        _log.warning("readiness_probe_failed", error=type(error).__name__)
        return otherwise
