"""Alembic's entry: always on a connection that app.core.migrate opened."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from app.models import Base
from app.models.base import UtcDateTime

_LOCK_TIMEOUT_MS = 5_000


def _render_item(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    """Keep versions free of app imports: our own type is a plain DateTime there."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def _run() -> None:
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_item=_render_item,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            # A migration that cannot get its lock gives way to the traffic.
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_LOCK_TIMEOUT_MS}")
        context.run_migrations()


_run()
