"""Dependencies that every slice's endpoints share."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from app.http.context import AppContext


async def get_context(request: Request) -> AppContext:
    """Return the process context (async: it waits for nothing, so it needs no thread)."""
    context: AppContext = request.app.state.context
    return context


ContextDep = Annotated[AppContext, Depends(get_context)]


def _read_session(context: ContextDep) -> Iterator[Session]:
    with context.database.read() as session:
        yield session


def _write_session(context: ContextDep) -> Iterator[Session]:
    with context.database.unit_of_work() as session:
        yield session


# With the default scope the commit would run after the reply was sent, and a commit that
# fails would still have answered 2xx.
ReadSession = Annotated[Session, Depends(_read_session, scope="function")]
WriteSession = Annotated[Session, Depends(_write_session, scope="function")]
