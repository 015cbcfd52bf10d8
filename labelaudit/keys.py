"""API keys, made and taken back beside the service's database."""
# ruff: noqa: PLC0415 - the service's code loads only for the commands that need it

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from labelaudit.client.files import replacing
from labelaudit.configuration import load_settings
from labelaudit.database import open_database
from labelaudit.errors import InputError
from labelaudit.terminal import note, printable, say

if TYPE_CHECKING:
    from app.accounts.schemas import Scope
    from app.accounts.service import AccountService
    from app.core.settings import Settings
    from app.models import ApiKey


def create_key(name: str, scopes: list[str], expires_days: int | None, tenant_name: str) -> None:
    """Make a key and print it, this once."""
    wanted = _parse_scopes(scopes)
    expires_at = None
    if expires_days is not None:
        expires_at = datetime.now(UTC) + timedelta(days=expires_days)
    with _accounts(load_settings()) as accounts:
        accounts.ensure_default_tenant()
        tenant = accounts.find_tenant(tenant_name)
        if tenant is None:
            raise InputError(
                f"there is no tenant {printable(tenant_name)}",
                code="not_found",
                hint="operators make tenants with POST /v1/tenants",
            )
        row, key = accounts.create_key(tenant.id, name=name, scopes=wanted, expires_at=expires_at)
        key_id = row.key_id
    say(key)
    note(f"key {key_id} was made; it is shown only now")


def list_keys() -> None:
    """Print the keys as a table, without secrets."""
    from rich.console import Console
    from rich.table import Table

    table = Table("id", "name", "scopes", "made", "expires", "last used", "revoked")
    with _accounts(load_settings()) as accounts:
        for row in accounts.list_keys(accounts.ensure_default_tenant().id):
            table.add_row(*_cells(row))
    Console(markup=False).print(table)


def revoke_key(key_id: str) -> None:
    """Take a key back for good."""
    from app.core.errors import NotFoundError

    with _accounts(load_settings()) as accounts:
        try:
            accounts.revoke_key(accounts.ensure_default_tenant().id, key_id)
        except NotFoundError as error:
            raise InputError(
                f"there is no key {key_id}",
                code="not_found",
                hint="`labelaudit keys list` shows the ids",
            ) from error
    say(f"key {key_id} is revoked")


def ensure_tenant(settings: "Settings") -> None:
    """Make the tenant of a fresh service, whose keys the owner makes."""
    with _accounts(settings) as accounts:
        accounts.ensure_default_tenant()


def ensure_key_file(settings: "Settings", target: Path) -> None:
    """Make the first key of a fresh service and leave it in a file of the owner's own."""
    from app.accounts.schemas import Scope

    with _accounts(settings) as accounts:
        tenant = accounts.ensure_default_tenant()
        if target.exists():
            return
        _row, key = accounts.create_key(tenant.id, name="first key", scopes=[*Scope])
    with replacing(target) as temporary:
        temporary.touch()
        temporary.chmod(0o600)
        temporary.write_text(key + "\n")


@contextmanager
def _accounts(settings: "Settings") -> Iterator["AccountService"]:
    """Open the accounts in one unit of work."""
    from app.accounts.secrets import load_pepper
    from app.accounts.service import AccountService

    with open_database(settings) as database, database.unit_of_work() as session:
        yield AccountService(session, load_pepper(settings))


def _parse_scopes(names: list[str]) -> "list[Scope]":
    from app.accounts.schemas import Scope

    try:
        return [Scope(name) for name in names]
    except ValueError as error:
        hint = f"scopes are: {' '.join(Scope)}"
        raise InputError(str(error), code="unknown_scope", hint=hint) from error


def _cells(row: "ApiKey") -> list[str]:
    times = (row.created_at, row.expires_at, row.last_used_at, row.revoked_at)
    return [
        row.key_id,
        printable(row.name),
        " ".join(row.scopes),
        *(f"{time:%Y-%m-%d %H:%M}" if time else "" for time in times),
    ]
