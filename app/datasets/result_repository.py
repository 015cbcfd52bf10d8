"""The rows of a version of results go with it, but by no foreign key."""

from typing import Any, TypeAlias, cast

from sqlalchemy import CursorResult, Table, delete, select, tuple_
from sqlalchemy.orm import Session

from app.models import Finding, LossRank, PosteriorRank, SampleRank

ResultTable: TypeAlias = type[Finding | SampleRank | LossRank | PosteriorRank]
RESULT_TABLES: tuple[ResultTable, ...] = (SampleRank, LossRank, PosteriorRank, Finding)


def remove_result_rows(session: Session, version_id: int, limit: int) -> int:
    """Remove the next `limit` rows of a version from each table; return how many went at most."""
    return max(_remove_some(session, table, version_id, limit) for table in RESULT_TABLES)


def _remove_some(session: Session, table: ResultTable, version_id: int, limit: int) -> int:
    version, *others = cast("Table", table.__table__).primary_key.columns
    last = session.execute(
        select(*others).where(version == version_id).order_by(*others).offset(limit - 1).limit(1)
    ).one_or_none()
    # By a range of keys: a DELETE with LIMIT is not in every SQLite.
    until = () if last is None else (tuple_(*others) <= tuple_(*last),)
    gone = session.execute(
        delete(table).where(version == version_id, *until),
        execution_options={"synchronize_session": False},
    )
    return cast("CursorResult[Any]", gone).rowcount
