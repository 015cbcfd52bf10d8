"""What requests cost, by route: for Prometheus, and as a line of the log."""

import time

import structlog
from fastapi import APIRouter, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import override

from app.http.deps import ContextDep
from app.http.middleware import METHODS, PROBES, HttpMiddleware

router = APIRouter(tags=["operation"])
_BUCKETS = (0.005, 0.02, 0.05, 0.1, 0.3, 0.5, 1, 3, 10, 60, 600)

_METHODS = frozenset(method.upper() for method in METHODS)
_log = structlog.get_logger(__name__)


@router.get(
    "/metrics",
    summary="Metrics in Prometheus text format",
    response_class=PlainTextResponse,
)
def get_metrics(context: ContextDep) -> Response:
    """Requests of this process; those of jobs too where it is the only one.

    Where several processes serve one database (server mode), each would tell the same of jobs:
    then `/metrics/jobs` alone does.
    """
    return _text(context.metrics)


@router.get(
    "/metrics/jobs",
    summary="Metrics of jobs in Prometheus text format",
    response_class=PlainTextResponse,
)
def get_job_metrics(context: ContextDep) -> Response:
    """Counted in the database now: any process of the service tells the same."""
    return _text(context.job_metrics)


def _text(registry: CollectorRegistry) -> Response:
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class MetricsMiddleware(HttpMiddleware):
    """Counts and times requests."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        """Wrap `app` and report to `registry`."""
        super().__init__(app)
        self._seconds = Histogram(
            "labelaudit_http_request_seconds",
            "Seconds until the last byte of the reply; its count is the number of requests.",
            ("method", "route", "status"),
            buckets=_BUCKETS,
            registry=registry,
        )
        self._received = Counter(
            "labelaudit_http_received_bytes",
            "Bytes of request bodies, most of them uploads.",
            ("route",),
            registry=registry,
        )

    @override
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        start, status, num_bytes = time.perf_counter(), 500, 0

        async def count() -> Message:
            nonlocal num_bytes
            message = await receive()
            num_bytes += len(message.get("body", b""))
            return message

        async def watch(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, count, watch)
        finally:
            # The template, not the path: one time series a route. Anything may be asked for, by
            # whoever likes and up to the size of a head: unknown paths and methods share one.
            route = getattr(scope.get("route"), "path", None)
            named = scope["method"] if scope["method"] in _METHODS else "other"
            method = named if route else "any"
            if num_bytes:
                self._received.labels(route or "unmatched").inc(num_bytes)
            seconds = time.perf_counter() - start
            self._seconds.labels(method, route or "unmatched", status).observe(seconds)
            if route not in PROBES:  # asked every few seconds: not worth a line each
                _log.info(
                    "request", method=method, route=route, status=status, seconds=round(seconds, 3)
                )
