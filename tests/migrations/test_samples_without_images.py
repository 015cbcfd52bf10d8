"""The version that lets samples be without an image, on a database with content."""

from collections.abc import Iterator

import pytest
from alembic import command
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from app.core.db import make_engine
from app.core.migrate import make_config
from app.models import Dataset, Finding, JobKind, Sample
from tests.support.factories import make_sample, make_samples, publish_findings
from tests.support.rows import make_dataset, make_job, make_tenant

BEFORE = "2026_11_23"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A database with an audited data set and one of scores."""
    engine = make_engine(database_url)
    with Session(engine) as session, session.begin():
        tenant = make_tenant(session)
        dataset = make_dataset(session, tenant.id)
        publish_findings(session, make_job(session, dataset), make_samples(session, dataset, 3))
        scores = make_dataset(session, tenant.id)
        row = make_sample(session, scores, 0, sha256=None, media_type=None, width=None, height=None)
        publish_findings(session, make_job(session, scores, kind=JobKind.SCORE), [row])
    yield engine
    engine.dispose()


def _samples_and_findings(engine: Engine) -> tuple[list[tuple[object, ...]], int]:
    with Session(engine) as session:
        samples = select(
            Sample.path, Sample.sha256, Sample.media_type, Sample.width, Sample.height
        ).order_by(Sample.id)
        num_findings = session.scalar(select(func.count()).select_from(Finding))
        return [tuple(row) for row in session.execute(samples)], num_findings or 0


def test_keeps_images_and_their_findings_on_the_way_down_and_up(engine: Engine) -> None:
    samples, num_findings = _samples_and_findings(engine)
    assert (len(samples), num_findings) == (4, 4)
    with engine.begin() as connection:
        command.downgrade(make_config(connection), BEFORE)
    assert _samples_and_findings(engine) == (samples[:3], 3)
    with Session(engine) as session:
        assert session.scalar(select(func.count()).select_from(Dataset)) == 1

    with engine.begin() as connection:
        command.upgrade(make_config(connection), "head")
        command.check(make_config(connection))
    assert _samples_and_findings(engine) == (samples[:3], 3)
