"""Long requests end soon after their key does: an upload, a download or a stream of events."""

import time
from collections.abc import Callable

from anyio import to_thread
from starlette.types import Message, Receive, Send

_CHECK_SECONDS = 2.0


class KeyWatch:
    """Asks again, while bytes flow, whether the caller is still welcome."""

    def __init__(self, identify: Callable[[], object]) -> None:
        """`identify` raises `UnauthenticatedError` once the key is revoked or expired."""
        self._identify = identify
        self._checked_at = time.monotonic()

    def around(self, receive: Receive) -> Receive:
        """Return a `receive` that ends the request's body once the key is no longer good."""

        async def watched() -> Message:
            message = await receive()
            if message.get("more_body", False):
                await self._check()
            return message

        return watched

    def before(self, send: Send) -> Send:
        """Return a `send` that ends the reply once the key is no longer good."""

        async def watched(message: Message) -> None:
            if message.get("more_body", False):
                await self._check()
            await send(message)

        return watched

    async def _check(self) -> None:
        now = time.monotonic()
        if now - self._checked_at >= _CHECK_SECONDS:
            self._checked_at = now
            await to_thread.run_sync(self._identify)
