"""An audit that is too sure, reviewed by people who know the truth."""

import pytest
from starlette.testclient import TestClient

from app.accounts.schemas import Scope
from app.http.context import AppContext
from tests.app.conftest import MakeClient
from tests.support.learning import Audited, make_audited


@pytest.fixture
def audited(context: AppContext) -> Audited:
    return make_audited(context.database, context.settings, num=60)


@pytest.fixture
def reviewer(make_client: MakeClient, audited: Audited) -> TestClient:
    return make_client(audited.tenant_id, [Scope.READ, Scope.REVIEW])
