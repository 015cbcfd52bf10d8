"""A database owner without any privilege of the server: no superuser, no CREATEROLE."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from app.core.db import TENANT_ROLE, Database, make_engine
from app.models import Job
from tests.labelaudit.program import run_program
from tests.support.rows import make_dataset, make_job, make_tenant
from tests.support.servers import running_postgres, start_or_skip

STATEMENTS = (f"CREATE ROLE {TENANT_ROLE} NOLOGIN", f"GRANT {TENANT_ROLE} TO audit_owner")


@pytest.fixture
def administrator_url() -> Iterator[str]:
    """URL of a superuser on a server of this test's own: roles belong to a whole server."""
    yield from start_or_skip(running_postgres)


@pytest.fixture
def owner_url(administrator_url: str) -> str:
    """URL of an empty database for its owner."""
    with psycopg.connect(administrator_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE audit_owner LOGIN")
        connection.execute("CREATE DATABASE labels OWNER audit_owner")
    return administrator_url.replace("postgres@", "audit_owner@").replace("/postgres", "/labels")


def _as_administrator(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def _has_wall(url: str) -> bool:
    """Tell whether a query that forgets the tenant sees another tenant's job."""
    database = Database(make_engine(url))
    try:
        with database.unit_of_work() as session:
            own, other = (make_tenant(session, uuid4().hex).id for _ in range(2))
            make_job(session, make_dataset(session, other))
        with database.of_tenant(own).read() as session:
            return session.query(Job).count() == 0
    finally:
        database.dispose()


def test_upgrade_works_and_names_what_the_administrator_can_do(
    owner_url: str, tmp_path: Path
) -> None:
    done = run_program("db", "upgrade", folder=tmp_path, LABELAUDIT_DATABASE_URL=owner_url)
    assert done.returncode == 0, done.stderr
    assert all(statement in done.stderr for statement in STATEMENTS)
    assert not _has_wall(owner_url)

    doctor = run_program("doctor", folder=tmp_path, LABELAUDIT_DATABASE_URL=owner_url)
    assert doctor.returncode == 1
    assert all(statement in doctor.stdout for statement in STATEMENTS)


def test_a_role_made_beforehand_is_used(
    administrator_url: str, owner_url: str, tmp_path: Path
) -> None:
    _as_administrator(administrator_url, *STATEMENTS)
    done = run_program("db", "upgrade", folder=tmp_path, LABELAUDIT_DATABASE_URL=owner_url)
    assert (done.returncode, done.stderr) == (0, "")
    assert _has_wall(owner_url)


def test_a_role_made_later_is_used_after_the_next_upgrade(
    administrator_url: str, owner_url: str, tmp_path: Path
) -> None:
    variables = {"LABELAUDIT_DATABASE_URL": owner_url}
    run_program("db", "upgrade", folder=tmp_path, **variables)
    _as_administrator(administrator_url, *STATEMENTS)
    assert not _has_wall(owner_url)  # requests go on as before

    done = run_program("db", "upgrade", folder=tmp_path, **variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert _has_wall(owner_url)
    doctor = run_program("doctor", folder=tmp_path, **variables)
    assert doctor.returncode == 0, doctor.stdout


def test_a_role_of_others_is_left_alone(
    administrator_url: str, owner_url: str, tmp_path: Path
) -> None:
    _as_administrator(administrator_url, STATEMENTS[0])
    done = run_program("db", "upgrade", folder=tmp_path, LABELAUDIT_DATABASE_URL=owner_url)
    assert done.returncode == 0, done.stderr
    assert STATEMENTS[1] in done.stderr
    assert not _has_wall(owner_url)
