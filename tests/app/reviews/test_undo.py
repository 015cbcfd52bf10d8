"""Undo and redo of steps, across sessions and users."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from app.accounts.schemas import Scope
from app.models import Job, Tenant
from tests.app.conftest import MakeClient
from tests.app.reviews.conftest import Decide
from tests.app.walking import walk
from tests.support.engines import on_sqlite


def decision_of(client: TestClient, sample_id: str) -> tuple[str | None, str | None]:
    sample = client.get(f"/v1/samples/{sample_id}").json()
    return sample["decision"], sample["decided_label"]


def revert(client: TestClient, path: str, kind: str, **choice: Any) -> Any:
    reply = client.post(f"{path}/{kind}", json=choice)
    assert reply.status_code == 200, reply.text
    return reply.json()


class TestUndo:
    def test_goes_back_step_by_step_and_forward_again(
        self, client: TestClient, path: str, sample_ids: list[str], decide: Decide
    ) -> None:
        sample = sample_ids[0]
        states = [decision_of(client, sample)]
        for decision, body in (("keep", {}), ("relabel", {"label": "dog"}), ("exclude", {})):
            decide(sample, decision, **body)
            states.append(decision_of(client, sample))
        for expected in states[-2::-1]:
            revert(client, path, "undo")
            assert decision_of(client, sample) == expected
        for expected in states[1:]:
            revert(client, path, "redo")
            assert decision_of(client, sample) == expected
        assert client.get(f"/v1/samples/{sample}").json()["version"] == 10

    def test_is_logged_like_any_change(
        self, client: TestClient, path: str, sample_ids: list[str], decide: Decide
    ) -> None:
        decided = decide(sample_ids[0], "keep")
        undone = revert(client, path, "undo")
        assert undone["target_step_id"] == decided["step_id"]
        assert (undone["kind"], undone["num_samples"], undone["who"]) == ("undo", 1, "test")
        first, second = walk(client, path)
        assert (second["from"], second["to"]) == (first["to"], first["from"])
        assert second["kind"] == "undo"
        steps = walk(client, f"{path}/steps")
        assert [(step["kind"], step["undone"]) for step in steps] == [
            ("undo", False),
            ("decide", True),
        ]

    def test_takes_any_step_that_no_later_one_stands_on(
        self, client: TestClient, path: str, sample_ids: list[str], decide: Decide
    ) -> None:
        first = decide(sample_ids[0], "keep")["step_id"]
        other = decide(sample_ids[1], "keep")["step_id"]
        second = decide(sample_ids[0], "unsure")["step_id"]
        revert(client, path, "undo", step_id=other)
        assert decision_of(client, sample_ids[1]) == (None, None)

        reply = client.post(f"{path}/undo", json={"step_id": first})
        assert (reply.status_code, reply.json()["code"]) == (409, "step_overtaken")
        assert reply.json()["num_samples"] == 1
        revert(client, path, "undo", step_id=second)
        revert(client, path, "undo", step_id=first)
        assert decision_of(client, sample_ids[0]) == (None, None)

    def test_does_not_mistake_an_equal_decision_for_the_same(
        self, client: TestClient, path: str, sample_ids: list[str], decide: Decide
    ) -> None:
        first = decide(sample_ids[0], "keep")["step_id"]
        decide(sample_ids[0], "unsure")
        decide(sample_ids[0], "keep")
        reply = client.post(f"{path}/undo", json={"step_id": first})
        assert (reply.status_code, reply.json()["code"]) == (409, "step_overtaken")

    @on_sqlite
    def test_of_an_undone_step_is_refused_and_so_is_redo_of_one_in_force(
        self, client: TestClient, path: str, sample_ids: list[str], decide: Decide
    ) -> None:
        step = decide(sample_ids[0], "keep")["step_id"]
        redo = client.post(f"{path}/redo", json={"step_id": step})
        revert(client, path, "undo", step_id=step)
        undo = client.post(f"{path}/undo", json={"step_id": step})
        for reply in (undo, redo):
            assert (reply.status_code, reply.json()["code"]) == (409, "step_state")

    def test_redo_is_refused_where_somebody_decided_since(
        self, client: TestClient, path: str, sample_ids: list[str], decide: Decide
    ) -> None:
        decide(sample_ids[0], "keep")
        revert(client, path, "undo")
        decide(sample_ids[0], "exclude")
        reply = client.post(f"{path}/redo")
        assert (reply.status_code, reply.json()["code"]) == (409, "step_overtaken")
        revert(client, path, "undo")
        assert decision_of(client, sample_ids[0]) == (None, None)

    @pytest.mark.parametrize("kind", ["undo", "redo"])
    def test_of_nothing_is_refused(self, client: TestClient, path: str, kind: str) -> None:
        reply = client.post(f"{path}/{kind}")
        assert (reply.status_code, reply.json()["code"]) == (409, "nothing_to_revert")
        for step_id in (1, 2**63 - 1):
            reply = client.post(f"{path}/{kind}", json={"step_id": step_id})
            assert (reply.status_code, reply.json()["code"]) == (404, "not_found")
        assert client.post(f"{path}/{kind}", json={"step_id": 2**63}).status_code == 422

    def test_reaches_the_steps_of_others_unless_told_otherwise(
        self,
        client: TestClient,
        make_client: MakeClient,
        tenant: Tenant,
        path: str,
        sample_ids: list[str],
        decide: Decide,
    ) -> None:
        colleague = make_client(tenant.id, list(Scope))
        mine = decide(sample_ids[0], "keep")["step_id"]
        theirs = colleague.put(
            f"/v1/samples/{sample_ids[1]}/decision",
            json={"decision": "unsure"},
            headers={"If-Match": "*"},
        ).json()["step_id"]
        assert revert(client, path, "undo", mine=True)["target_step_id"] == mine
        assert revert(client, path, "undo")["target_step_id"] == theirs
        assert revert(colleague, path, "redo", mine=True)["target_step_id"] == theirs

    def test_of_a_bulk_step_is_one_step(
        self, client: TestClient, path: str, job: Job, sample_ids: list[str], decide: Decide
    ) -> None:
        decide(sample_ids[0], "keep")
        body = {"decision": "exclude", "job_id": str(job.id), "filter": {"decision": "none"}}
        assert client.post(path, json=body).json()["count"] == len(sample_ids) - 1
        assert revert(client, path, "undo")["num_samples"] == len(sample_ids) - 1
        assert [decision_of(client, sample)[0] for sample in sample_ids[:2]] == ["keep", None]
        revert(client, path, "redo")
        assert decision_of(client, sample_ids[1])[0] == "exclude"
        assert len(walk(client, path)) == 1 + 3 * (len(sample_ids) - 1)
        last = decide(sample_ids[3], "keep")["step_id"]
        assert client.post(f"{path}/undo", json={"step_id": last - 1}).status_code != 200
        revert(client, path, "undo", step_id=last)
        assert revert(client, path, "undo")["num_samples"] == len(sample_ids) - 1
