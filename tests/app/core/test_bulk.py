"""Many rows come back as one by one would, on both engines."""

from typing import cast
from uuid import uuid4

import pytest
from sqlalchemy import Table, insert, select
from sqlalchemy.exc import IntegrityError

from app.core.bulk import as_columns, insert_rows
from app.core.clock import utc_now
from app.core.db import Database
from app.models import Dataset, Sample, Tenant
from tests.support.factories import sha256_of
from tests.support.rows import make_dataset, make_tenant

SAMPLES = cast("Table", Sample.__table__)


def rows_of(dataset: Dataset) -> list[dict[str, object]]:
    first = {
        "tenant_id": dataset.tenant_id, "dataset_id": dataset.id, "position": 0,
        "path": 'cat/a\t"b"\\N\n\u00e9.png', "split": "train", "given_label": 0,
        "sha256": sha256_of("a"), "width": 8, "conflicting": True, "agreement": 0.1 + 0.2,
        "annotations": {"anna": 'c"a\tt', "bert": "dog"}, "version": 1,
    }  # fmt: skip
    nothing = {"sha256": None, "width": None, "agreement": None, "annotations": None}
    return [first, first | nothing | {"position": 1, "split": "test", "conflicting": False}]


def test_values_are_those_that_sqlalchemy_writes(database: Database) -> None:
    with database.unit_of_work() as session:
        tenant = make_tenant(session)
        one, many = (make_dataset(session, tenant.id) for _ in range(2))
        session.execute(insert(SAMPLES), rows_of(one))
        insert_rows(session, SAMPLES, as_columns(rows_of(many)))
    unlike = {"id", "dataset_id"}
    columns = [column for column in SAMPLES.columns if column.name not in unlike]
    with database.read() as session:
        expected, found = (
            session.execute(
                select(*columns).where(Sample.dataset_id == each.id).order_by(Sample.position)
            ).all()
            for each in (one, many)
        )
    assert len(found) == 2
    assert found == expected


def test_no_rows_are_no_statement(database: Database) -> None:
    with database.unit_of_work() as session:
        insert_rows(session, SAMPLES, as_columns([]))
        assert session.scalars(select(Sample.id)).all() == []


def test_a_column_that_is_too_short_is_refused(database: Database) -> None:
    columns = {"tenant_id": [uuid4(), uuid4()], "dataset_id": [uuid4()]}
    with database.unit_of_work() as session, pytest.raises(ValueError, match="shorter"):
        insert_rows(session, SAMPLES, columns)


def test_times_and_ids_keep_their_form(database: Database) -> None:
    tenants = cast("Table", Tenant.__table__)
    moment, tenant_id = utc_now(), uuid4()
    with database.unit_of_work() as session:
        insert_rows(
            session,
            tenants,
            {"id": [tenant_id], "name": ["many"], "created_at": [moment]},
        )
    with database.read() as session:
        query = select(tenants.c.id, tenants.c.created_at).where(tenants.c.name == "many")
        assert session.execute(query).one() == (tenant_id, moment)


def test_an_error_of_the_database_is_told_as_every_other_statement_tells_it(
    database: Database,
) -> None:
    with database.unit_of_work() as session:
        first, _ = rows_of(make_dataset(session, make_tenant(session).id))
        with pytest.raises(IntegrityError):
            insert_rows(session, SAMPLES, as_columns([first, first]))
        session.rollback()
