from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import inspect, text

from app.core.db import Database, make_engine
from app.core.migrate import LAST_OF_OLDER, UnknownSchemaError, is_current, make_config, upgrade
from app.models import Base
from tests.labelaudit.program import run_program

OLDER = "2026_11_28_ranks"
"""A version of before the first one that there is today."""


def _put_back(url: str) -> None:
    engine = make_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :id"), {"id": OLDER})
    engine.dispose()


class TestSchema:
    def test_models_and_migrations_say_the_same(self, database_url: str) -> None:
        engine = make_engine(database_url)
        with engine.begin() as connection:
            command.check(make_config(connection))
        engine.dispose()

    def test_goes_down_to_nothing_and_up_again(self, database_url: str) -> None:
        engine = make_engine(database_url)
        with engine.begin() as connection:
            command.downgrade(make_config(connection), "base")
        assert set(inspect(engine).get_table_names()) <= {"alembic_version"}
        assert not is_current(Database(engine))

        with engine.begin() as connection:
            command.upgrade(make_config(connection), "head")
        assert set(Base.metadata.tables) <= set(inspect(engine).get_table_names())
        assert is_current(Database(engine))
        engine.dispose()

    def test_may_be_looked_at_while_somebody_writes(self, database_url: str) -> None:
        database = Database(make_engine(database_url))
        with database.unit_of_work() as session:
            session.execute(text("DELETE FROM webhooks"))
            assert is_current(database)  # a writer would be kept out until it gives up
        database.dispose()

    def test_looks_leave_the_statements_of_others_in_the_cache(self, database_url: str) -> None:
        database = Database(make_engine(database_url))
        sizes = set()
        for _ in range(3):
            is_current(database)
            sizes.add(len(database.engine._compiled_cache or ()))
        assert len(sizes) == 1
        database.dispose()


class TestOlderDatabase:
    def test_is_told_which_commit_upgrades_it_and_left_as_it_is(self, database_url: str) -> None:
        _put_back(database_url)
        with pytest.raises(UnknownSchemaError, match=rf"{OLDER}.*{LAST_OF_OLDER}"):
            upgrade(database_url)
        engine = make_engine(database_url)
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT version_num FROM alembic_version")) == OLDER
        engine.dispose()

    def test_ends_the_command_in_one_line(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path / 'old.db'}"
        upgrade(url)
        _put_back(url)
        done = run_program("db", "upgrade", folder=tmp_path, LABELAUDIT_DATABASE_URL=url)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert LAST_OF_OLDER in done.stderr
