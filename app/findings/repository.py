"""Published findings, artifacts and twins, of one tenant, and the public keys of this service.

Keys are system-wide: all tenants' files are signed by one key.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, TypeAlias, cast
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    SQLColumnExpression,
    Table,
    bindparam,
    false,
    func,
    literal_column,
    select,
    true,
    tuple_,
)
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from app.core.bulk import as_columns, insert_missing
from app.core.clock import utc_now
from app.core.signing import SigningKey
from app.findings.query import (
    SURE_ABOVE,
    DecisionFilter,
    FindingQuery,
    FindingRow,
    Sort,
    SuspectTally,
    TwinRow,
    Verdict,
)
from app.models import (
    FLAGGED,
    NO_POSTERIOR,
    ODD,
    OF_SAMPLE,
    Artifact,
    Finding,
    LossRank,
    PosteriorRank,
    PublishedKey,
    ResultVersion,
    Sample,
    SampleRank,
)

SUPERSEDED_KEPT = timedelta(hours=24)
"""How long a cursor goes on through results that newer ones have replaced."""

_Listed = aliased(Finding, name="listed")
"""The same findings, by their narrow indexes alone; a whole row is looked up by its rank."""
_IS_ODD: ColumnElement[bool] = literal_column(f"findings.{ODD}")
_IS_LISTED_ODD: ColumnElement[bool] = literal_column(f"listed.{ODD}")
_IS_SURE: ColumnElement[bool] = FLAGGED & (func.coalesce(Finding.p_mislabeled, 0.0) > SURE_ABOVE)
_By: TypeAlias = Any
"""Finding, `_Listed`, LossRank or PosteriorRank: all have a version and ranks."""
_LOSS = (LossRank.loss, Finding.loss)
_POSTERIOR = (PosteriorRank.minus_posterior, func.coalesce(-Finding.posterior, NO_POSTERIOR))
"""What decides an order before the rank does: of the narrow rows, and of the findings."""
_Rows: TypeAlias = Select[*tuple[Any, ...]]
_ARTIFACTS = (
    select(Artifact)
    .where(
        Artifact.version_id == bindparam("version_id"),
        Artifact.tenant_id == bindparam("tenant_id"),
    )
    .order_by(Artifact.kind)
)
"""Made once: to put a statement together takes as long as to run it."""
_COLUMNS = (
    Finding.version_id,
    Finding.sample_id,
    Finding.rank,
    Finding.given_label,
    Finding.suggested_label,
    Finding.suggested_confidence,
    Finding.p_mislabeled,
    Finding.p_uncalibrated,
    Finding.posterior,
    Finding.flagged,
    Finding.loss,
    Finding.verdict,
    Finding.signals,
    Finding.likely,
    Sample.path,
    Sample.decision,
    Sample.decided_label,
    Sample.exclusion,
    Sample.version,
    Sample.sha256.is_not(None),
)
"""Of a `FindingRow`, in its order: as entities of the ORM they took twice the time."""
_ROWS = select(*_COLUMNS).join(Sample, Sample.id == Finding.sample_id)


class FindingRepository:
    """Results that a job row points to."""

    def __init__(self, session: Session, tenant_id: UUID) -> None:
        """Work inside the caller's unit of work, for one tenant."""
        self._session = session
        self._tenant_id = tenant_id

    def page(
        self,
        version_id: int,
        query: FindingQuery,
        *,
        classes: list[str],
        after: tuple[float, int] | None,
        limit: int,
    ) -> list[FindingRow]:
        """Return findings in the wanted order, after a key of that order."""
        statement = self._rows(version_id).where(*_conditions(query, classes)).limit(limit)
        by = self._listed_by(query)
        statement = _listed(statement, version_id, query, by)
        rows = self._session.execute(_ordered(statement, query, by, after))
        return [FindingRow._make(row) for row in rows]

    def _listed_by(self, query: FindingQuery) -> _By:
        if not query.sort.by_rank and not _is_odd(query.verdict):
            return PosteriorRank if query.sort.by_posterior else LossRank
        # SQLite would rather walk all whole rows than meet some of them by an index.
        is_sqlite = self._session.get_bind().dialect.name == "sqlite"
        is_few = query.flagged or query.sure or _is_odd(query.verdict)
        return _Listed if is_sqlite and is_few else Finding

    def get(self, version_id: int, sample_id: int) -> FindingRow | None:
        """Return what a result says of one sample."""
        row = self._session.execute(
            self._rows(version_id)
            .join(SampleRank, OF_SAMPLE)
            .where(SampleRank.version_id == version_id, SampleRank.sample_id == sample_id)
        ).one_or_none()
        return None if row is None else FindingRow._make(row)

    def tally(self, version_id: int, *, at_most: int) -> SuspectTally:
        """Count suspects, and decisions on them, of the worst `at_most` alone."""
        suspects = (
            select(Finding.sample_id)
            .where(Finding.version_id == version_id, FLAGGED)
            .order_by(Finding.rank)
            .limit(at_most + 1)
            .subquery()
        )
        num_flagged, num_decided = self._session.execute(
            select(func.count(), func.count(Sample.decision)).join_from(
                suspects, Sample, Sample.id == suspects.c.sample_id
            )
        ).one()
        # Only certain conflicts are ranked before what is judged, so this is found at once.
        judged = self._session.scalar(
            select(Finding.rank)
            .where(Finding.version_id == version_id, Finding.p_mislabeled.is_not(None))
            .order_by(Finding.rank)
            .limit(1)
        )
        return SuspectTally(
            num_flagged=min(num_flagged, at_most),
            num_decided=min(num_decided, at_most),
            has_more=num_flagged > at_most,
            is_any_judged=judged is not None,
        )

    def is_kept(self, version_id: int, job_id: UUID) -> bool:
        """Tell whether the findings of a version of this job are all there."""
        found = self._session.scalar(
            select(ResultVersion.id).where(
                ResultVersion.id == version_id,
                ResultVersion.job_id == job_id,
                ResultVersion.tenant_id == self._tenant_id,
                ResultVersion.superseded_at > utc_now() - SUPERSEDED_KEPT,
            )
        )
        return found is not None

    def matching(
        self,
        version_id: int,
        query: FindingQuery,
        classes: list[str],
        *,
        sample_ids: Sequence[int] | None = None,
    ) -> Select[int, int]:
        """Return the query for (sample_id, suggested_label) of the findings that match.

        Of these samples or of all.
        """
        statement = (
            select(Finding.sample_id, Finding.suggested_label)
            .join(Sample, Sample.id == Finding.sample_id)
            .where(Finding.version_id == version_id, Sample.tenant_id == self._tenant_id)
            .where(*_conditions(query, classes))
        )
        if sample_ids is None:
            return statement
        return statement.join(SampleRank, OF_SAMPLE).where(
            SampleRank.version_id == version_id, SampleRank.sample_id.in_(sample_ids)
        )

    def version(self, version_id: int) -> ResultVersion:
        """Return the row of a result."""
        return self._session.scalars(
            select(ResultVersion).where(
                ResultVersion.id == version_id, ResultVersion.tenant_id == self._tenant_id
            )
        ).one()

    def _rows(self, version_id: int) -> _Rows:
        return _ROWS.where(Finding.version_id == version_id, Sample.tenant_id == self._tenant_id)

    def artifacts(self, version_id: int) -> Sequence[Artifact]:
        """Return the files of one result."""
        wanted = {"version_id": version_id, "tenant_id": self._tenant_id}
        return self._session.scalars(_ARTIFACTS, wanted).all()


def _listed(statement: _Rows, version_id: int, query: FindingQuery, by: _By) -> _Rows:
    """Let the narrow rows `by` tell which findings there are, and in which order."""
    if by is not Finding:
        statement = statement.join(
            by, (by.version_id == Finding.version_id) & (by.rank == Finding.rank)
        ).where(by.version_id == version_id)
    if _is_odd(query.verdict):
        # All follow from the verdict, but planners must be told: that the partial index holds
        # them, and SQLite's that three of its columns are bounded.
        is_odd = _IS_ODD if by is Finding else _IS_LISTED_ODD
        return statement.where(is_odd, by.verdict == query.verdict, by.rank > 0)
    if by is PosteriorRank and query.min_posterior is not None:
        statement = statement.where(by.minus_posterior <= -query.min_posterior)
    return statement.where(by.flagged == true()) if by is _Listed else statement


def _ordered(
    statement: _Rows, query: FindingQuery, by: _By, after: tuple[float, int] | None
) -> _Rows:
    is_ascending = query.sort.ascending
    columns = (*_before_rank(query.sort, by), by.rank)
    if after is not None:
        # Columns of one index in one direction: a row comparison seeks straight to the place.
        key, bound = tuple_(*columns), after[-len(columns) :]
        statement = statement.where(key > bound if is_ascending else key < bound)
    return statement.order_by(
        *(column.asc() if is_ascending else column.desc() for column in columns)
    )


def _before_rank(sort: Sort, by: _By) -> tuple[SQLColumnExpression[Any], ...]:
    if sort.by_rank:
        return ()
    narrow, of_finding = _POSTERIOR if sort.by_posterior else _LOSS
    # Few samples are of an odd kind: found by it, then sorted.
    return (narrow if by is narrow.class_ else of_finding,)


def _conditions(query: FindingQuery, classes: list[str]) -> list[ColumnElement[bool]]:
    conditions = _of_probability(query)
    if query.label is not None:
        conditions.append(_names(Finding.given_label, query.label, classes))
    if query.suggested_label is not None:
        conditions.append(_names(Finding.suggested_label, query.suggested_label, classes))
    if query.decision is not None:
        conditions.append(_decided(query.decision))
    if query.verdict is not None:
        conditions.append(Finding.verdict == query.verdict.value)
    if query.but is not None:
        conditions.append(Finding.verdict != query.but.value)
    return conditions


def _of_probability(query: FindingQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    for is_so, wanted in ((FLAGGED, query.flagged), (_IS_SURE, query.sure)):
        if wanted is not None:
            conditions.append(is_so if wanted else ~is_so)
    if query.min_p is not None:
        conditions.append(Finding.p_mislabeled >= query.min_p)
    if query.max_p is not None:
        conditions.append(Finding.p_mislabeled <= query.max_p)
    if query.min_posterior is not None:
        conditions.append(Finding.posterior >= query.min_posterior)
    return conditions


def _is_odd(verdict: Verdict | None) -> bool:
    """Tell whether a kind is one that few samples are of."""
    return verdict not in (None, Verdict.CLEAN, Verdict.MISLABELED)


def _names(
    column: InstrumentedAttribute[int], name: str, classes: list[str]
) -> ColumnElement[bool]:
    return column == classes.index(name) if name in classes else false()


def _decided(decision: DecisionFilter) -> ColumnElement[bool]:
    if decision == DecisionFilter.NONE:
        return Sample.decision.is_(None)
    return Sample.decision == decision.value


_MAX_TWINS = 1_000
"""Of all samples of a page together; a picture may be there ten thousand times."""
_Twin = aliased(Sample, name="twin")


class TwinRepository:
    """Samples of one tenant beside an audit's results."""

    def __init__(self, session: Session, tenant_id: UUID) -> None:
        """Work inside the caller's unit of work, for one tenant."""
        self._session = session
        self._tenant_id = tenant_id

    def of(self, version_id: int, sample_ids: Sequence[int]) -> list[TwinRow]:
        """Return the twins of some samples in the order of their data set."""
        rows = self._session.execute(
            select(Sample.id, _Twin.id, _Twin.path, _Twin.given_label, SampleRank.rank.is_not(None))
            .join(
                _Twin,
                (_Twin.dataset_id == Sample.dataset_id)
                & (_Twin.picture == Sample.picture)
                & _Twin.picture.is_not(None)  # for the index, which has no others
                & (_Twin.id != Sample.id),
            )
            .outerjoin(
                SampleRank,
                (SampleRank.version_id == version_id) & (SampleRank.sample_id == _Twin.id),
            )
            .where(Sample.id.in_(sample_ids), Sample.tenant_id == self._tenant_id)
            .order_by(_Twin.position)
            .limit(_MAX_TWINS)
        )
        return [TwinRow(*row) for row in rows]


class KeyRepository:
    """Keys that have signed, and the one that does."""

    def __init__(self, session: Session) -> None:
        """Work inside the caller's unit of work."""
        self._session = session

    def get(self, key_id: str) -> PublishedKey | None:
        """Find a key."""
        return self._session.get(PublishedKey, key_id)

    def newest(self) -> Sequence[PublishedKey]:
        """Return all keys, newest first; a service has few."""
        return self._session.scalars(
            select(PublishedKey).order_by(PublishedKey.created_at.desc(), PublishedKey.key_id)
        ).all()

    def add(self, key: SigningKey) -> None:
        """Publish a key, unless it is already."""
        row = {
            "key_id": key.key_id,
            "public_key": key.public.hex(),
            "created_at": utc_now(),
        }
        insert_missing(self._session, cast("Table", PublishedKey.__table__), as_columns([row]))
