"""Dependencies that every routes file shares."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from typing import Annotated, Protocol
from uuid import UUID

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Request
from sqlalchemy.orm import Session

from app.core.db import Database
from app.http.context import AppContext

BEGUN = "begun"
"""Name in a request's state of what is to be done first in its write transaction."""
NOBODY = UUID(int=0)


class Caller(Protocol):
    """What the authentication leaves in the request's state."""

    @property
    def tenant_id(self) -> UUID:
        """Whose rows may be seen."""


async def get_context(request: Request) -> AppContext:
    """Return the process context (async: it waits for nothing, so it needs no thread)."""
    context: AppContext = request.app.state.context
    return context


ContextDep = Annotated[AppContext, Depends(get_context)]


async def _turn(context: ContextDep) -> AsyncIterator[None]:
    """Let only so many requests hold a session to write in; reads have turns of their own.

    A request that holds one still needs a thread, for FastAPI checks the reply in another one than
    the endpoint's. With more sessions than connections all threads would wait for connections of
    requests that wait for threads: at 120 slow requests at once, 47 failed after half a minute.
    """
    async with context.write_turns:
        yield


TurnDep = Annotated[None, Depends(_turn, scope="function")]


async def _read_session(request: Request) -> AsyncIterator[Session]:
    """Give a session that begins when it is first used, in the thread of whoever uses it.

    For GET and HEAD only: these have taken a turn (`ReadTurns`) before they come here.
    """
    session = _callers_database(request, await get_context(request)).reader()
    try:
        yield session
    finally:
        # With a limit of its own: all threads may be waiting for this very connection.
        await to_thread.run_sync(session.close, limiter=CapacityLimiter(1))


def _write_session(request: Request, context: ContextDep, _turn: TurnDep) -> Iterator[Session]:
    with _callers_database(request, context).unit_of_work() as session:
        begin_request(request, session)
        yield session


def _write_on_demand(
    request: Request, context: ContextDep, _turn: TurnDep
) -> Iterator[Callable[[], Session]]:
    with ExitStack() as stack:

        def begin() -> Session:
            session = stack.enter_context(_callers_database(request, context).unit_of_work())
            begin_request(request, session)
            return session

        yield begin


def _callers_database(request: Request, context: AppContext) -> Database:
    """Return the database as the caller's tenant sees it; who has no tenant sees nothing."""
    principal: Caller | None = getattr(request.state, "principal", None)
    return context.database.of_tenant(NOBODY if principal is None else principal.tenant_id)


def begin_request(request: Request, session: Session) -> None:
    """Do first in a request's write transaction what has to be: see `IdempotentRoute`."""
    first: Callable[[Session], None] | None = getattr(request.state, BEGUN, None)
    if first is not None:
        first(session)


# With the default scope the commit would run after the reply was sent, and a commit that
# fails would still have answered 2xx.
ReadSession = Annotated[Session, Depends(_read_session, scope="function")]
WriteSession = Annotated[Session, Depends(_write_session, scope="function")]
# For routes that do not always write: the transaction begins when this is called.
WriteOnDemand = Annotated[Callable[[], Session], Depends(_write_on_demand, scope="function")]
