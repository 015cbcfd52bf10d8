from starlette.types import ASGIApp, Receive, Scope, Send

PROBES = frozenset({"/healthz", "/readyz", "/metrics", "/metrics/jobs"})
"""Paths that machines ask for every few seconds; they take a slow answer for a dead process."""


class HttpMiddleware:
    """A layer around HTTP requests; other traffic passes by."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        handle = self.serve if scope["type"] == "http" else self._app
        await handle(scope, receive, send)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        raise NotImplementedError
