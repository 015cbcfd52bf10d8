from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from app.accounts.schemas import Scope
from app.accounts.service import AccountService
from app.core.clock import utc_now
from app.core.db import Database
from app.core.errors import NotFoundError, UnauthenticatedError
from app.models import ApiKey
from tests.support.rows import make_tenant


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with database.unit_of_work() as session:
        yield session


@pytest.fixture
def accounts(session: Session) -> AccountService:
    return AccountService(session, b"pepper")


class TestDefaultTenant:
    def test_is_made_once(self, accounts: AccountService) -> None:
        assert accounts.find_default_tenant() is None
        tenant = accounts.ensure_default_tenant()
        assert accounts.ensure_default_tenant().id == tenant.id
        assert tenant.name == "default"


class TestAuthenticate:
    def test_knows_tenant_and_scopes(self, accounts: AccountService) -> None:
        tenant = accounts.ensure_default_tenant()
        row, key = accounts.create_key(tenant.id, name="ci", scopes=[Scope.TRAIN, Scope.READ])
        caller = accounts.authenticate(key)
        assert caller.tenant_id == tenant.id
        assert caller.scopes == {Scope.READ, Scope.TRAIN}
        assert caller.key_id == row.key_id

    def test_keeps_no_key(self, accounts: AccountService) -> None:
        tenant = accounts.ensure_default_tenant()
        row, key = accounts.create_key(tenant.id, name="ci", scopes=[Scope.READ])
        secret = key.split("_")[-1]
        assert not any(secret in str(value) for value in vars(row).values())

    def test_refuses_a_key_hashed_with_another_pepper(
        self, accounts: AccountService, session: Session
    ) -> None:
        tenant = accounts.ensure_default_tenant()
        _, key = AccountService(session, b"other").create_key(
            tenant.id, name="ci", scopes=[Scope.READ]
        )
        with pytest.raises(UnauthenticatedError):
            accounts.authenticate(key)

    def test_refuses_an_expired_key(self, accounts: AccountService) -> None:
        tenant = accounts.ensure_default_tenant()
        _, key = accounts.create_key(
            tenant.id,
            name="ci",
            scopes=[Scope.READ],
            expires_at=utc_now() - timedelta(seconds=1),
        )
        with pytest.raises(UnauthenticatedError):
            accounts.authenticate(key)

    def test_refuses_a_revoked_key_and_leaves_others(self, accounts: AccountService) -> None:
        tenant = accounts.ensure_default_tenant()
        row, key = accounts.create_key(tenant.id, name="old", scopes=[Scope.READ])
        _, other = accounts.create_key(tenant.id, name="new", scopes=[Scope.READ])
        accounts.revoke_key(tenant.id, row.key_id)
        with pytest.raises(UnauthenticatedError):
            accounts.authenticate(key)
        assert accounts.authenticate(other)

    def test_asks_no_database_about_a_mistyped_key(self) -> None:
        accounts = AccountService(None, b"pepper")  # type: ignore[arg-type] # would fail if used
        with pytest.raises(UnauthenticatedError):
            accounts.authenticate("la_live_mistyped")


class TestRevokeKey:
    def test_of_another_tenant_is_unknown(self, accounts: AccountService, session: Session) -> None:
        tenant = accounts.ensure_default_tenant()
        row, key = accounts.create_key(tenant.id, name="ci", scopes=[Scope.READ])
        other = make_tenant(session, "theirs")
        with pytest.raises(NotFoundError):
            accounts.revoke_key(other.id, row.key_id)
        assert accounts.authenticate(key)
        assert accounts.list_keys(other.id) == []
        assert [known.id for known in accounts.list_keys(tenant.id)] == [row.id]


class TestTouch:
    def test_notes_a_use_once_a_minute(self, accounts: AccountService, session: Session) -> None:
        tenant = accounts.ensure_default_tenant()
        row, key = accounts.create_key(tenant.id, name="ci", scopes=[Scope.READ])

        def last_used() -> object:
            session.expire_all()
            return session.get_one(ApiKey, row.id).last_used_at

        assert last_used() is None
        accounts.touch(accounts.authenticate(key))
        first = last_used()
        assert first is not None
        accounts.touch(accounts.authenticate(key))
        assert last_used() == first
