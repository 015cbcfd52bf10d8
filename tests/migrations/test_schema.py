from alembic import command
from sqlalchemy import inspect

from app.core.db import make_engine
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
        assert not is_current(engine)

        with engine.begin() as connection:
            command.upgrade(make_config(connection), "head")
        assert set(Base.metadata.tables) <= set(inspect(engine).get_table_names())
        assert is_current(engine)
        engine.dispose()
