"""The version that knows which samples show the same picture, on a database with copies."""

from alembic import command
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.db import make_engine
from app.core.migrate import make_config
from app.models import DuplicateKind, Sample
from tests.support.factories import make_samples
from tests.support.rows import make_dataset, make_tenant

BEFORE = "2026_11_30_posteriors"


def test_equal_files_of_a_data_set_are_one_picture(database_url: str) -> None:
    engine = make_engine(database_url)
    with Session(engine) as session, session.begin():
        tenant = make_tenant(session)
        for _ in range(2):  # the same files in two data sets
            samples = make_samples(session, make_dataset(session, tenant.id), 5)
            for sample in samples[1:4]:
                sample.sha256, sample.duplicate_kind = "c" * 64, DuplicateKind.EXACT
            samples[4].duplicate_kind = DuplicateKind.NEAR
    with engine.begin() as connection:
        command.downgrade(make_config(connection), BEFORE)
        command.upgrade(make_config(connection), "head")
        pictures = connection.scalars(select(Sample.picture).order_by(Sample.id))
        assert [*pictures] == [None, 1, 1, 1, None] * 2
    engine.dispose()
