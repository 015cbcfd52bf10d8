"""Browsers without a window: clients that keep cookies and say what they accept."""

from collections.abc import Collection
from uuid import UUID

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.accounts.schemas import Scope
from app.accounts.service import AccountService
from app.http.context import AppContext
from app.models import Tenant

URL = "http://testserver"
OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}


class FakeBrowser(TestClient):
    """Accepts pages, follows no redirect by itself, and calls from our own pages."""

    def __init__(self, app: FastAPI, context: AppContext, address: str = "testclient") -> None:
        super().__init__(
            app,
            base_url=URL,
            follow_redirects=False,
            headers={"Accept": "text/html", **OWN_PAGE},
            client=(address, 50000),
        )
        self.portal = getattr(app.state, "portal", None)
        self._context = context

    def make_key(self, tenant_id: UUID, scopes: Collection[Scope] = tuple(Scope)) -> str:
        """Return the whole key; its public part is `key_id`."""
        with self._context.database.unit_of_work() as session:
            accounts = AccountService(session, self._context.pepper)
            row, key = accounts.create_key(tenant_id, name="Ada's key", scopes=scopes)
        self.key_id, self.tenant_id = row.key_id, tenant_id
        return key

    def revoke_key(self) -> None:
        with self._context.database.unit_of_work() as session:
            AccountService(session, self._context.pepper).revoke_key(self.tenant_id, self.key_id)

    def sign_in(self, tenant_id: UUID, scopes: Collection[Scope] = tuple(Scope)) -> None:
        reply = self.post("/sign-in", data={"key": self.make_key(tenant_id, scopes)})
        assert reply.status_code == 303, reply.text


@pytest.fixture
def browser(app: FastAPI, context: AppContext) -> FakeBrowser:
    """Somebody who is not signed in."""
    return FakeBrowser(app, context)


@pytest.fixture
def signed_in(browser: FakeBrowser, tenant: Tenant) -> FakeBrowser:
    """The same, signed in with all rights."""
    browser.sign_in(tenant.id)
    return browser
