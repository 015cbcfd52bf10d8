"""The second wall: on PostgreSQL even a query that forgets the tenant sees only its own rows."""

from uuid import UUID

import pytest
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import func, select, text
from sqlalchemy.exc import ProgrammingError

from app.core.db import TENANT_ROLE, Database, all_tenants
from app.models import (
    ApiKey,
    Base,
    Dataset,
    DecisionEntry,
    Finding,
    LossRank,
    PosteriorRank,
    SampleRank,
)
from tests.support.tenants import fill_every_table

on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
pytestmark = on_postgresql
OF_THE_SERVICE = {"published_keys", "folder_marks"}
TABLES = sorted(set(Base.metadata.tables) - OF_THE_SERVICE)
HOW_TO = "call migrations.tenancy.protect(table) in the migration that makes it"


@pytest.fixture
def tenants(database: Database) -> tuple[UUID, UUID]:
    with database.unit_of_work() as session:
        return fill_every_table(session, "ours").tenant_id, fill_every_table(
            session, "theirs"
        ).tenant_id


def _counts(database: Database) -> dict[str, int]:
    with database.read() as session:
        return {
            name: session.scalar(select(func.count()).select_from(table)) or 0
            for name, table in Base.metadata.tables.items()
        }


class TestEveryTable:
    def test_has_a_policy(self, database: Database) -> None:
        with database.read() as session:
            walled = set(session.scalars(text("SELECT tablename FROM pg_policies")))
            enabled = set(
                session.scalars(text("SELECT relname FROM pg_class WHERE relrowsecurity"))
            )
        assert set(TABLES) - (walled & enabled) == set(), HOW_TO

    def test_shows_a_tenant_only_its_own_rows(
        self, database: Database, tenants: tuple[UUID, UUID]
    ) -> None:
        everything = _counts(database)
        ours, theirs = (_counts(database.of_tenant(tenant)) for tenant in tenants)
        for table in TABLES:
            assert ours[table], f"fill_every_table leaves {table} empty"
            assert everything[table] == ours[table] + theirs[table], table

    def test_shows_nothing_where_no_tenant_is_set(
        self, database: Database, tenants: tuple[UUID, UUID]
    ) -> None:
        assert tenants
        with database.read() as session:
            session.execute(text(f"SET LOCAL ROLE {TENANT_ROLE}"))
            for name, table in Base.metadata.tables.items():
                assert session.scalar(select(func.count()).select_from(table)) == 0, name


class TestWrites:
    def test_of_a_foreign_row_are_refused(
        self, database: Database, tenants: tuple[UUID, UUID]
    ) -> None:
        ours, theirs = tenants
        with (
            pytest.raises(ProgrammingError) as caught,
            database.of_tenant(ours).unit_of_work() as session,
        ):
            session.add(ApiKey(tenant_id=theirs, name="x", key_id="x", key_hash="x", scopes=[]))
        assert isinstance(caught.value.orig, InsufficientPrivilege)

    def test_to_foreign_rows_touch_none(
        self, database: Database, tenants: tuple[UUID, UUID]
    ) -> None:
        ours, theirs = tenants
        with database.of_tenant(ours).unit_of_work() as session:
            session.query(Dataset).update({"name": "taken over"})
        with database.of_tenant(theirs).read() as session:
            assert set(session.scalars(select(Dataset.name))) == {"pets"}

    def test_never_change_the_log_of_acts(
        self, database: Database, tenants: tuple[UUID, UUID]
    ) -> None:
        for statement in ("UPDATE audit_entries SET action = 'x'", "DELETE FROM audit_entries"):
            with (
                pytest.raises(ProgrammingError) as caught,
                database.of_tenant(tenants[0]).unit_of_work() as session,
            ):
                session.execute(text(statement))
            assert isinstance(caught.value.orig, InsufficientPrivilege)


class TestAllTenants:
    def test_sees_over_the_wall_and_no_longer(
        self, database: Database, tenants: tuple[UUID, UUID]
    ) -> None:
        with database.of_tenant(tenants[0]).read() as session:
            count = select(func.count()).select_from(Dataset)
            own = session.scalar(count) or 0
            with all_tenants(session):
                assert session.scalar(count) == 2 * own
            assert session.scalar(count) == own


class TestPlan:
    @pytest.mark.parametrize("table", [Finding, SampleRank, LossRank, PosteriorRank, DecisionEntry])
    def test_asks_once_for_what_belongs_to_the_tenant(
        self, database: Database, tenants: tuple[UUID, UUID], table: type[Base]
    ) -> None:
        with database.of_tenant(tenants[0]).read() as session:
            plan = session.scalars(text(f"EXPLAIN TABLE {table.__tablename__}")).all()
        assert any("hashed SubPlan" in line for line in plan), plan
