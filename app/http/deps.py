"""Dependencies that every slice's endpoints share."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from app.http.context import AppContext

BEGUN = "begun"
"""Name in a request's state of what is to be done first in its write transaction."""


async def get_context(request: Request) -> AppContext:
    """Return the process context (async: it waits for nothing, so it needs no thread)."""
    context: AppContext = request.app.state.context
    return context


ContextDep = Annotated[AppContext, Depends(get_context)]


def _read_session(context: ContextDep) -> Iterator[Session]:
    with context.database.read() as session:
        yield session


def _write_session(request: Request, context: ContextDep) -> Iterator[Session]:
    with context.database.unit_of_work() as session:
        _begin(request, session)
        yield session


def _write_on_demand(request: Request, context: ContextDep) -> Iterator[Callable[[], Session]]:
    with ExitStack() as stack:

        def begin() -> Session:
            session = stack.enter_context(context.database.unit_of_work())
            _begin(request, session)
            return session

        yield begin


def _begin(request: Request, session: Session) -> None:
    first: Callable[[Session], None] | None = getattr(request.state, BEGUN, None)
    if first is not None:
        first(session)


# With the default scope the commit would run after the reply was sent, and a commit that
# fails would still have answered 2xx.
ReadSession = Annotated[Session, Depends(_read_session, scope="function")]
WriteSession = Annotated[Session, Depends(_write_session, scope="function")]
# For routes that do not always write: the transaction begins when this is called.
WriteOnDemand = Annotated[Callable[[], Session], Depends(_write_on_demand, scope="function")]
