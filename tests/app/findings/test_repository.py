"""How the lists are read: by index, without sorting, wherever a page begins."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, event, select, update
from sqlalchemy.orm import Session

from app.core.db import Database
from app.findings.query import FindingQuery, Sort, Verdict
from app.findings.repository import FindingRepository, TwinRepository
from app.models import Dataset, Finding, ResultVersion, Sample
from tests.support.factories import make_samples, publish_findings
from tests.support.rows import make_dataset, make_job, make_tenant

CLASSES = ["cat", "dog"]


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with database.unit_of_work() as session:
        yield session


@pytest.fixture
def dataset(session: Session) -> Dataset:
    return make_dataset(session, make_tenant(session).id)


@pytest.fixture
def version(session: Session, dataset: Dataset) -> ResultVersion:
    return publish_findings(session, make_job(session, dataset), make_samples(session, dataset, 9))


def explain(session: Session, run: Any) -> str:
    """Return the plan of the one statement that `run` executes."""
    connection = session.connection()
    seen: list[tuple[str, Any]] = []

    def note(_c: Connection, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        seen.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    run()
    event.remove(connection, "before_cursor_execute", note)
    ((statement, parameters),) = seen
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        return "\n".join(row[3] for row in rows)
    # A table of nine rows is always scanned and sorted, unless that is made dear.
    connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    connection.exec_driver_sql("SET LOCAL enable_bitmapscan = off")
    connection.exec_driver_sql("SET LOCAL enable_sort = off")
    rows = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
    return "\n".join(row[0] for row in rows)


def _as_told(session: Session, index: str) -> str:
    """Return what a plan calls an index; SQLite's primary keys have no names there."""
    if session.get_bind().dialect.name == "sqlite" and index.startswith("pk_"):
        return f"SEARCH {index.removeprefix('pk_')} USING PRIMARY KEY"
    return index


class TestPage:
    @pytest.mark.parametrize("after", [None, (1.0, 4)])
    @pytest.mark.parametrize(
        ("query", "index"),
        [
            (FindingQuery(), "pk_findings"),
            (FindingQuery(sort=Sort.BEST_FIRST), "pk_findings"),
            (FindingQuery(flagged=True), "ix_findings_flagged"),
            (FindingQuery(sure=True), "ix_findings_flagged"),
            (FindingQuery(verdict=Verdict.HARD), "ix_findings_odd"),
            (FindingQuery(verdict=Verdict.CLEAN), "pk_findings"),
            (FindingQuery(sort=Sort.LARGEST_LOSS), "pk_loss_ranks"),
            (FindingQuery(sort=Sort.SMALLEST_LOSS), "pk_loss_ranks"),
            (FindingQuery(sort=Sort.LARGEST_POSTERIOR), "pk_posterior_ranks"),
            (FindingQuery(sort=Sort.SMALLEST_POSTERIOR), "pk_posterior_ranks"),
            (FindingQuery(sort=Sort.LARGEST_POSTERIOR, min_posterior=0.9), "pk_posterior_ranks"),
            (FindingQuery(sort=Sort.LARGEST_POSTERIOR, flagged=True), "pk_posterior_ranks"),
        ],
    )
    def test_is_read_from_its_index_without_sorting(
        self,
        session: Session,
        version: ResultVersion,
        query: FindingQuery,
        index: str,
        after: tuple[float, int] | None,
    ) -> None:
        findings = FindingRepository(session, version.tenant_id)
        plan = explain(
            session,
            lambda: findings.page(version.id, query, classes=CLASSES, after=after, limit=3),
        )
        assert _as_told(session, index) in plan, plan
        assert "SCAN" not in plan
        assert "TEMP B-TREE" not in plan
        assert "Sort" not in plan

    @pytest.mark.parametrize("sort", [Sort.LARGEST_LOSS, Sort.SMALLEST_LOSS])
    @pytest.mark.parametrize("after", [None, (1.5, 5)])
    def test_of_a_rare_kind_only_its_samples_are_read_in_any_order(
        self,
        session: Session,
        version: ResultVersion,
        sort: Sort,
        after: tuple[float, int] | None,
    ) -> None:
        findings = FindingRepository(session, version.tenant_id)
        query = FindingQuery(verdict=Verdict.HARD, sort=sort)
        plan = explain(
            session,
            lambda: findings.page(version.id, query, classes=CLASSES, after=after, limit=3),
        )
        assert "ix_findings_odd" in plan, plan
        rows = findings.page(version.id, query, classes=CLASSES, after=after, limit=3)
        expected = [(1.0, 4), (2.0, 8)] if sort.ascending else [(2.0, 8), (1.0, 4)]
        expected = expected if after is None else expected[1:]
        assert [(row.loss, row.rank) for row in rows] == expected

    def test_one_sample_is_found_by_its_rank(
        self, session: Session, version: ResultVersion
    ) -> None:
        findings = FindingRepository(session, version.tenant_id)
        sample_id = session.scalars(select(Sample.id).order_by(Sample.id).limit(1)).one()
        plan = explain(session, lambda: findings.get(version.id, sample_id))
        for index in ("pk_sample_ranks", "pk_findings"):
            assert _as_told(session, index) in plan, plan
        named = findings.matching(version.id, FindingQuery(), CLASSES, sample_ids=[sample_id])
        assert _as_told(session, "pk_sample_ranks") in explain(
            session, lambda: session.execute(named)
        )
        assert [row.sample_id for row in session.execute(named)] == [sample_id]

    def test_twins_are_found_by_their_picture(
        self, session: Session, version: ResultVersion
    ) -> None:
        samples = session.scalars(select(Sample).order_by(Sample.position)).all()
        for sample in samples[2:5]:
            sample.picture = 2
        twins, ids = TwinRepository(session, version.tenant_id), [samples[3].id, samples[7].id]
        assert [row.sample_id for row in twins.of(version.id, ids)] == [
            samples[2].id,
            samples[4].id,
        ]
        assert "ix_samples_pictures" in explain(session, lambda: twins.of(version.id, ids))
        other = TwinRepository(session, make_tenant(session, "theirs").id)
        assert other.of(version.id, ids) == []

    def test_a_tally_knows_what_is_judged_behind_a_conflict_that_is_not(
        self, session: Session, version: ResultVersion
    ) -> None:
        findings = FindingRepository(session, version.tenant_id)
        for until, is_any_judged in ((1, True), (9, False)):
            unjudged = update(Finding).where(Finding.rank <= until)
            session.execute(unjudged.values(p_mislabeled=None))
            assert findings.tally(version.id, at_most=9).is_any_judged is is_any_judged

    def test_of_another_tenant_is_empty(self, session: Session, version: ResultVersion) -> None:
        other = make_tenant(session, "theirs")
        findings = FindingRepository(session, other.id)
        rows = findings.page(version.id, FindingQuery(), classes=CLASSES, after=None, limit=3)
        assert rows == []
        assert findings.artifacts(version.id) == []
