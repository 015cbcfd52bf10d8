"""The version that makes the posterior a column, on a database with findings."""

from alembic import command
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.db import make_engine
from app.core.migrate import make_config
from app.models import Finding, PosteriorRank
from tests.support.factories import make_samples, publish_findings
from tests.support.rows import make_dataset, make_job, make_tenant

BEFORE = "2026_11_30_ended_attempts"


def test_posteriors_of_earlier_audits_are_taken_from_their_signals(database_url: str) -> None:
    engine = make_engine(database_url)
    with Session(engine) as session, session.begin():
        dataset = make_dataset(session, make_tenant(session).id)
        publish_findings(session, make_job(session, dataset), make_samples(session, dataset, 5))
    findings = select(Finding.rank, Finding.posterior).order_by(Finding.rank)
    ranks = select(PosteriorRank.rank).order_by(PosteriorRank.minus_posterior, PosteriorRank.rank)
    with engine.begin() as connection:
        command.downgrade(make_config(connection), BEFORE)
        command.upgrade(make_config(connection), "head")
        assert [*connection.execute(findings)] == [
            (1, 0.0),
            (2, 0.0),
            (3, 0.2),
            (4, 0.2),
            (5, None),
        ]
        assert [*connection.scalars(ranks)] == [3, 4, 1, 2, 5]
    engine.dispose()
