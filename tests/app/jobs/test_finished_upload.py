"""`POST /v1/datasets` with the id of a resumable upload."""

import hashlib
import json
from typing import Any
from uuid import UUID

import pytest
from starlette.testclient import TestClient

from app.accounts.schemas import Scope
from app.http.context import AppContext
from app.jobs.service import JobService
from app.models import Dataset, Tenant
from tests.app.conftest import MakeClient, NotedWakeUps
from tests.app.jobs.test_upload_endpoints import ZIP
from tests.app.uploads.test_endpoints import append, begin, code, parts


def send(client: TestClient, content: bytes = ZIP, name: str = "pets.zip") -> str:
    url = begin(client, len(content), filename=name)
    assert append(client, url, 0, content).status_code == 204
    return url.rpartition("/")[2]


def register(client: TestClient, upload_id: str, **wanted: Any) -> Any:
    return client.post("/v1/datasets", json={"upload_id": upload_id, **wanted})


class TestFinishedUpload:
    def test_becomes_a_data_set_with_its_job(
        self, client: TestClient, context: AppContext, wake_ups: NotedWakeUps
    ) -> None:
        reply = register(client, send(client), audit={"epochs": 3})
        assert reply.status_code == 202, reply.text
        assert reply.headers["location"] == f"/v1/jobs/{reply.json()['job_id']}"
        dataset = client.get(f"/v1/datasets/{reply.json()['dataset_id']}").json()
        assert (dataset["name"], dataset["state"]) == ("pets", "pending")
        assert dataset["upload"]["sha256"] == hashlib.sha256(ZIP).hexdigest()
        job = client.get(reply.headers["location"]).json()
        assert (job["kind"], job["options"]["epochs"]) == ("audit", 3)
        stored = context.folder.root / "uploads" / dataset["id"]
        assert stored.read_bytes() == ZIP
        assert parts(context) == {}
        assert wake_ups.queues == ["cpu"]

    def test_may_only_be_stored_under_a_name_of_ones_own(self, client: TestClient) -> None:
        reply = register(client, send(client), audit="none", name="Haustiere")
        dataset = client.get(f"/v1/datasets/{reply.json()['dataset_id']}").json()
        assert dataset["name"] == "Haustiere"
        assert client.get(reply.headers["location"]).json()["kind"] == "ingest"

    def test_asked_for_twice_is_answered_alike(self, client: TestClient) -> None:
        upload_id = send(client)
        first, second = register(client, upload_id), register(client, upload_id)
        assert first.json() == second.json()
        assert len(client.get("/v1/datasets").json()["items"]) == 1

    def test_cannot_be_changed_any_more(self, client: TestClient) -> None:
        upload_id = send(client)
        register(client, upload_id)
        reply = append(client, f"/v1/uploads/{upload_id}", len(ZIP), b"")
        assert code(reply) == (409, "upload_used")

    def test_goes_with_its_data_set(self, client: TestClient) -> None:
        upload_id = send(client)
        dataset_id = register(client, upload_id).json()["dataset_id"]
        job = client.get("/v1/jobs").json()["items"][0]
        client.post(f"/v1/jobs/{job['id']}/cancel")
        assert client.delete(f"/v1/datasets/{dataset_id}").status_code == 204
        assert code(register(client, upload_id)) == (404, "not_found")


class TestRefused:
    def test_while_bytes_are_missing(self, client: TestClient) -> None:
        url = begin(client, 10)
        append(client, url, 0, b"x")
        reply = register(client, url.rpartition("/")[2])
        assert code(reply) == (409, "upload_incomplete")
        assert client.get("/v1/datasets").json()["items"] == []

    def test_if_it_is_no_archive(self, client: TestClient) -> None:
        assert code(register(client, send(client, b"text" * 100))) == (422, "unknown_archive")

    def test_if_it_belongs_to_somebody_else(self, client: TestClient, stranger: TestClient) -> None:
        assert code(register(stranger, send(client))) == (404, "not_found")

    @pytest.mark.parametrize("body", [b"{}", b"[]", b"x", b'{"upload_id": 1}'])
    def test_if_the_json_is_not_what_is_wanted(self, client: TestClient, body: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        reply = client.post("/v1/datasets", content=body, headers=headers)
        assert code(reply) == (422, "validation_error")

    def test_if_an_option_is_wrong(self, client: TestClient) -> None:
        reply = register(client, send(client), audit={"method": "magic"})
        assert code(reply) == (422, "unknown_method")

    def test_if_the_key_may_not_train(
        self, client: TestClient, make_client: MakeClient, tenant: Tenant
    ) -> None:
        writer = make_client(tenant.id, [Scope.WRITE])
        upload_id = send(client)
        assert code(register(writer, upload_id)) == (403, "forbidden")
        assert register(writer, upload_id, audit="none").status_code == 202

    def test_by_a_failure_it_is_still_there(
        self, client: TestClient, context: AppContext, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        upload_id = send(client)

        def fail(*_args: object) -> None:
            raise OSError(5, "broken disk")

        with monkeypatch.context() as patch:
            patch.setattr(JobService, "_wake", fail)
            assert register(client, upload_id).status_code == 500
        assert list((context.folder.root / "uploads").glob("*")) == []
        assert register(client, upload_id).status_code == 202


class TestColumns:
    @pytest.mark.parametrize("resumable", [False, True])
    def test_are_kept_for_the_ingest(
        self, client: TestClient, context: AppContext, *, resumable: bool
    ) -> None:
        columns = {"path": "datei", "label": "klasse"}
        if resumable:
            reply = register(client, send(client), columns=columns)
        else:
            form = {"columns": json.dumps(columns)}
            reply = client.post("/v1/datasets", files={"file": ("x.zip", ZIP)}, data=form)
        with context.database.read() as session:
            dataset = session.get_one(Dataset, UUID(reply.json()["dataset_id"]))
            assert dataset.columns == columns

    @pytest.mark.parametrize("columns", ['{"colour": "x"}', "[]", "x", '{"path": 1}'])
    def test_of_another_kind_are_refused(self, client: TestClient, columns: str) -> None:
        form = {"columns": columns}
        reply = client.post("/v1/datasets", files={"file": ("x.zip", ZIP)}, data=form)
        assert code(reply) == (422, "validation_error")
