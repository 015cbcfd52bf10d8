import base64

import pytest
from starlette.testclient import TestClient

from app.accounts.schemas import Scope
from app.http.context import AppContext
from app.models import JobState, Tenant
from tests.app.conftest import MakeClient
from tests.support.rows import make_dataset, make_job

URL = "https://example.org/hook"


def _create(client: TestClient) -> dict[str, str]:
    reply = client.post("/v1/webhooks", json={"url": URL})
    assert reply.status_code == 201
    created: dict[str, str] = reply.json()
    return created


class TestWebhooks:
    def test_show_their_secret_once(self, client: TestClient) -> None:
        created = _create(client)
        assert len(base64.b64decode(created["secret"].removeprefix("whsec_"))) == 32
        [listed] = client.get("/v1/webhooks").json()["items"]
        assert listed == {key: value for key, value in created.items() if key != "secret"}

    def test_have_secrets_that_are_not_in_the_database(
        self, client: TestClient, context: AppContext
    ) -> None:
        secret = _create(client)["secret"]
        with context.database.engine.connect() as connection:
            rows = connection.exec_driver_sql("SELECT * FROM webhooks").all()
        assert rows
        assert secret not in repr(rows)

    @pytest.mark.parametrize("url", ["http://example.org/", "https://a:b@example.org/", "no"])
    def test_refuse_a_url_that_nothing_may_be_sent_to(self, client: TestClient, url: str) -> None:
        reply = client.post("/v1/webhooks", json={"url": url})
        assert (reply.status_code, reply.json()["code"]) == (422, "invalid_webhook_url")

    def test_are_limited_in_number(self, client: TestClient) -> None:
        for _ in range(20):
            _create(client)
        reply = client.post("/v1/webhooks", json={"url": URL})
        assert (reply.status_code, reply.json()["code"]) == (409, "too_many_webhooks")

    def test_are_for_admins(self, make_client: MakeClient, tenant: Tenant) -> None:
        reader = make_client(tenant.id, [Scope.READ, Scope.WRITE, Scope.TRAIN])
        assert reader.get("/v1/webhooks").status_code == 403

    def test_of_another_tenant_are_unknown(self, client: TestClient, stranger: TestClient) -> None:
        path = f"/v1/webhooks/{_create(client)['id']}"
        assert stranger.delete(path).status_code == 404
        assert stranger.get(f"{path}/deliveries").status_code == 404
        assert stranger.get("/v1/webhooks").json()["items"] == []

    def test_are_told_of_the_end_of_their_own_tenants_jobs(
        self, client: TestClient, stranger: TestClient, context: AppContext, tenant: Tenant
    ) -> None:
        ours, theirs = _create(client), _create(stranger)
        with context.database.unit_of_work() as session:
            job = make_job(session, make_dataset(session, tenant.id))
        assert client.post(f"/v1/jobs/{job.id}/cancel").status_code == 202
        [message] = client.get(f"/v1/webhooks/{ours['id']}/deliveries").json()["items"]
        assert message["payload"]["type"] == "job.cancelled"
        assert message["payload"]["data"] == {
            "job_id": str(job.id),
            "dataset_id": str(job.dataset_id),
            "kind": "audit",
            "state": JobState.CANCELLED.value,
            "error_code": None,
        }
        assert stranger.get(f"/v1/webhooks/{theirs['id']}/deliveries").json()["items"] == []

    def test_can_be_deleted_with_their_messages(
        self, client: TestClient, context: AppContext, tenant: Tenant
    ) -> None:
        created = _create(client)
        with context.database.unit_of_work() as session:
            job = make_job(session, make_dataset(session, tenant.id))
        client.post(f"/v1/jobs/{job.id}/cancel")
        assert client.delete(f"/v1/webhooks/{created['id']}").status_code == 204
        assert client.get("/v1/webhooks").json()["items"] == []
