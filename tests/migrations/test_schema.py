from alembic import command
from sqlalchemy import inspect, text

from app.core.db import Database, make_engine
from app.core.migrate import is_current, make_config
from app.models import Base


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
