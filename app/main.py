"""The API process: `uvicorn app.main:create_app --factory`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version

import anyio
import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from prometheus_client import CollectorRegistry
from sqlalchemy.exc import DBAPIError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from app.accounts import routes as accounts
from app.accounts import tenant_routes as tenants
from app.accounts.auth import AuthenticationMiddleware
from app.accounts.rate_limit import FailedSignIns, RateLimiter
from app.accounts.secrets import load_pepper, load_signing_key
from app.claims import routes as claims
from app.core.blobs import look_at_store
from app.core.db import Database, make_engine
from app.core.probe import Probe
from app.core.queue import WakeUps, broker_answers, make_celery
from app.core.settings import Settings
from app.core.storage import DataFolder
from app.datasets.routes import datasets_router, samples_router
from app.exports import routes as exports
from app.findings import artifact_routes as artifacts
from app.findings import routes as findings
from app.http import health, metrics, openapi
from app.http.body_limit import MAX_BODY_BYTES, BodyLimitMiddleware
from app.http.context import AppContext
from app.http.metrics import MetricsMiddleware
from app.http.middleware import (
    LoopbackOnlyMiddleware,
    RequestIdMiddleware,
    SecurityHeadersMiddleware,
)
from app.http.problems import ProblemMiddleware, ProblemRenderer
from app.http.turns import ReadTurns
from app.jobs import routes as jobs
from app.jobs import score_routes as scores
from app.jobs import upload_routes as submissions
from app.jobs.events import EventHub
from app.jobs.gauges import JobGauges
from app.jobs.schemas import OPTION_CODES
from app.jobs.shared_folder import SharedFolder
from app.learning import routes as learning
from app.predictions import routes as predictions
from app.promises import routes as promises
from app.reviews import routes as reviews
from app.uploads import routes as uploads
from app.uploads.protocol import TusMiddleware, is_chunk_path
from app.web import assets, docs
from app.web.access import SIGN_IN
from app.web.pages.sign_in import MAX_SIGN_IN_BYTES
from app.web.rendering import problem_page
from app.web.router import router as pages
from app.webhooks import routes as webhooks

_ROUTERS = (
    submissions.router,
    uploads.router,
    scores.router,
    datasets_router,
    samples_router,
    jobs.router,
    findings.router,
    claims.router,
    learning.router,
    artifacts.router,
    artifacts.keys_router,
    predictions.router,
    promises.router,
    reviews.samples_router,
    reviews.datasets_router,
    exports.router,
    webhooks.router,
    accounts.router,
    tenants.router,
    health.router,
    metrics.router,
    docs.router,
    pages,
)
_log = structlog.get_logger(__name__)
_FORM_PATHS = frozenset({submissions.DATASETS_PATH, scores.SCORES_PATH})


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the application; it expects a migrated database.

    Raises:
        ValueError: It would be open to everybody who can reach this machine.
    """
    settings = settings or Settings()
    if settings.auth == "off" and not settings.on_loopback:
        raise ValueError(f"LABELAUDIT_AUTH=off is for a loopback host only, not {settings.host}")
    context, limiter = _make_context(settings), RateLimiter(settings)
    renderer = ProblemRenderer(own_codes=OPTION_CODES, page=problem_page)
    app = FastAPI(
        title="Label Audit",
        summary="Finds the wrong labels in an image data set.",
        version=version("labelaudit"),
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        middleware=_middleware(context, renderer, limiter),
        exception_handlers={
            HTTPException: renderer.handle,
            RequestValidationError: renderer.handle,
        },
    )
    app.state.context = context
    app.state.request_limiter = limiter
    app.state.failed_sign_ins = FailedSignIns()
    app.state.event_hub = EventHub(context.database, settings)
    for router in _ROUTERS:
        app.include_router(router)
    app.mount(assets.PREFIX, assets.Assets(), name="static")
    openapi.install(app)
    return app


def _make_context(settings: Settings) -> AppContext:
    database = Database(make_engine(settings.resolved_database_url))
    celery = make_celery(settings)
    metrics, job_metrics = CollectorRegistry(), CollectorRegistry()
    job_metrics.register(JobGauges(database))
    if not settings.in_server_mode:
        metrics.register(JobGauges(database))
    return AppContext(
        settings=settings,
        database=database,
        folder=DataFolder(settings),
        wake_ups=WakeUps(celery),
        broker=Probe(partial(broker_answers, celery)),
        store=Probe(partial(look_at_store, settings)),
        metrics=metrics,
        job_metrics=job_metrics,
        pepper=load_pepper(settings),
        signing_key=load_signing_key(settings),
    )


def _middleware(
    context: AppContext, renderer: ProblemRenderer, limiter: RateLimiter
) -> list[Middleware]:
    """Return the layers around the routes, outermost first."""
    open_to_all = context.settings.auth == "off"
    return [
        Middleware(RequestIdMiddleware),
        Middleware(SecurityHeadersMiddleware),
        Middleware(TusMiddleware),
        Middleware(MetricsMiddleware, registry=context.metrics),
        Middleware(ProblemMiddleware, renderer=renderer),
        *([Middleware(LoopbackOnlyMiddleware)] if open_to_all else []),
        Middleware(ReadTurns),
        Middleware(AuthenticationMiddleware, context=context, limiter=limiter),
        Middleware(BodyLimitMiddleware, max_bytes=_max_body_bytes),
    ]


def _max_body_bytes(method: str, path: str) -> int | None:
    """Return how large a body may be; None where the route reads it as a stream."""
    if method == "PATCH" and is_chunk_path(path):
        return None
    is_form = path in _FORM_PATHS or submissions.is_part_path(path)
    if method == "POST" and (is_form or predictions.is_predict_path(path)):
        return None
    return MAX_SIGN_IN_BYTES if path == SIGN_IN else MAX_BODY_BYTES


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    context: AppContext = app.state.context
    await run_in_threadpool(_mark_folders, context)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(app.state.event_hub.run)
        yield
        tasks.cancel_scope.cancel()
    context.database.dispose()


def _mark_folders(context: AppContext) -> None:
    """Let workers see whether they share the folders; what is in the way, `/readyz` tells too."""
    if context.settings.lacks_database:
        return  # its tables are made by `labelaudit db upgrade`, before the API starts
    try:
        SharedFolder(context.database, context.folder).mark()
    except (DBAPIError, OSError) as error:
        _log.warning("folders_not_marked", error=type(error).__name__)
