"""What an administrator says on the command line: keys and the database."""
# ruff: noqa: PLC0415 - each command loads what it needs, so that --help answers at once

from pathlib import Path
from typing import Annotated

import typer

keys_app = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)
db_app = typer.Typer(help="Look after the database.", no_args_is_help=True)


@keys_app.command("create")
def create_key(
    name: Annotated[str, typer.Option(help="To know it by.")],
    scope: Annotated[
        list[str], typer.Option(help="read, review, write, train or admin; may be repeated.")
    ],
    expires_days: Annotated[int | None, typer.Option(min=1, help="Days that it is good.")] = None,
    tenant: Annotated[str, typer.Option(help="Whose key it is.")] = "default",
) -> None:
    """Make a key and print it, this once."""
    from labelaudit.keys import create_key as run

    run(name, scope, expires_days, tenant)


@keys_app.command("list")
def list_keys() -> None:
    """List all keys, without their secrets."""
    from labelaudit.keys import list_keys as run

    run()


@keys_app.command("revoke")
def revoke_key(key_id: Annotated[str, typer.Argument(help="Id, as `keys list` shows it.")]) -> None:
    """Take a key back for good."""
    from labelaudit.keys import revoke_key as run

    run(key_id)


@db_app.command("upgrade")
def upgrade() -> None:
    """Bring the database to the newest schema; a fresh one is made."""
    from labelaudit.configuration import load_settings
    from labelaudit.database import upgrade_database

    upgrade_database(load_settings())


@db_app.command("backup")
def backup(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="New file for the copy.")],
) -> None:
    """Copy the SQLite database while it is in use (PostgreSQL has pg_dump)."""
    from labelaudit.configuration import load_settings
    from labelaudit.database import backup_database

    backup_database(load_settings(), target)
