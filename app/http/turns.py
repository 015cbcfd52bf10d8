"""Few reads at a time, first come, first served."""

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import override

from app.core.db import NUM_READS
from app.http.middleware import PROBES, HttpMiddleware

READ_METHODS = frozenset({"GET", "HEAD"})
_TURN = "turn"
"""Name in a request's state."""


class ReadTurns(HttpMiddleware):
    """Lets only so many reads be at work at once, from before the key is looked at.

    A reply that has begun holds no turn: streams and downloads last as long as their reader likes.
    """

    def __init__(self, app: ASGIApp, num_turns: int = NUM_READS) -> None:
        """Wrap `app`; `num_turns` at once."""
        super().__init__(app)
        self._turns = anyio.Semaphore(num_turns, fast_acquire=True)

    @override
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in READ_METHODS or scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        await self._turns.acquire()
        turn = _Turn(self._turns)
        scope.setdefault("state", {})[_TURN] = turn

        async def watched(message: Message) -> None:
            turn.give_back()
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            turn.give_back()


def give_turn_back(scope: Scope) -> None:
    """End a request's turn before its reply begins: what comes next waits for somebody else."""
    turn: _Turn | None = scope.get("state", {}).get(_TURN)
    if turn is not None:
        turn.give_back()


class _Turn:
    """One that was taken, and is given back once."""

    def __init__(self, turns: anyio.Semaphore) -> None:
        self._turns: anyio.Semaphore | None = turns

    def give_back(self) -> None:
        """Let the next one in, unless that is done; on the event loop."""
        if self._turns is not None:
            self._turns.release()
            self._turns = None
