"""Decisions on single samples."""

from typing import Any

from starlette.testclient import TestClient

from app.accounts.schemas import Scope
from app.http.context import AppContext
from app.models import Dataset, Job, Sample, Tenant
from tests.app.conftest import MakeClient
from tests.app.reviews.conftest import Decide, audit
from tests.app.walking import walk
from tests.support.engines import on_sqlite
from tests.support.factories import make_samples
from tests.support.rows import make_dataset, make_job

DECISIONS: list[tuple[dict[str, str], str | None, str | None]] = [
    ({"decision": "relabel", "label": "dog"}, "dog", None),
    ({"decision": "keep"}, None, None),
    ({"decision": "unsure"}, None, None),
    ({"decision": "exclude"}, None, None),
    ({"decision": "exclude", "reason": "off_topic"}, None, "off_topic"),
]
NONSENSE: list[tuple[dict[str, Any], str]] = [
    ({}, "validation_error"),
    ({"decision": "burn"}, "validation_error"),
    ({"decision": "relabel"}, "validation_error"),
    ({"decision": "keep", "label": "dog"}, "validation_error"),
    ({"decision": "keep", "reason": "off_topic"}, "validation_error"),
    ({"decision": "exclude", "reason": "ugly"}, "validation_error"),
    ({"decision": "keep", "comment": "x" * 501}, "validation_error"),
    ({"decision": "keep", "comment": "a\x00b"}, "validation_error"),
    ({"decision": "keep", "more": 1}, "validation_error"),
    ({"decision": "relabel", "label": "no such class"}, "unknown_class"),
    ({"decision": "relabel", "label": "\x00"}, "unknown_class"),
]
NONE = {"decision": None, "label": None, "reason": None}


def put(client: TestClient, sample_id: str, body: dict[str, Any], if_match: str | None) -> Any:
    headers = {} if if_match is None else {"If-Match": if_match}
    return client.put(f"/v1/samples/{sample_id}/decision", json=body, headers=headers)


class TestDecide:
    def test_is_in_force_at_once(self, client: TestClient, sample_ids: list[str]) -> None:
        for sample_id, (body, label, reason) in zip(sample_ids, DECISIONS, strict=False):
            reply = put(client, sample_id, body, '"1"')
            assert (reply.status_code, reply.headers["etag"]) == (200, '"2"')
            answer = reply.json()
            assert answer.pop("step_id") > 0
            assert answer == {
                "sample_id": sample_id,
                "decision": body["decision"],
                "label": label,
                "reason": reason,
                "version": 2,
            }
            shown = client.get(f"/v1/samples/{sample_id}")
            assert shown.headers["etag"] == '"2"'
            assert (shown.json()["decision"], shown.json()["version"]) == (body["decision"], 2)
            assert (shown.json()["decided_label"], shown.json()["exclusion"]) == (label, reason)

    def test_is_known_to_earlier_and_later_audits(
        self,
        client: TestClient,
        context: AppContext,
        dataset: Dataset,
        job: Job,
        sample_ids: list[str],
        decide: Decide,
    ) -> None:
        decide(sample_ids[1], "relabel", label="cat")
        later = audit(context, dataset)
        for audited in (job, later):
            findings = f"/v1/jobs/{audited.id}/samples"
            (found,) = walk(client, findings, decision="relabel")
            assert (found["sample_id"], found["decided_label"]) == (sample_ids[1], "cat")
            assert found["version"] == 2
            assert len(walk(client, findings, decision="none")) == len(sample_ids) - 1

    def test_relabelling_to_the_given_label_is_keeping_it(
        self, sample_ids: list[str], decide: Decide
    ) -> None:
        answer = decide(sample_ids[0], "relabel", label="cat")
        assert (answer["decision"], answer["label"]) == ("keep", None)

    def test_is_logged_with_who_when_from_to_why_and_under_which_results(
        self, client: TestClient, path: str, job: Job, sample_ids: list[str], decide: Decide
    ) -> None:
        decide(sample_ids[0], "exclude", reason="duplicate")
        decide(sample_ids[0], "relabel", label="dog", comment=" a dog \n", job_id=str(job.id))
        first, second = walk(client, path)
        assert (first["from"], first["to"]["reason"]) == (NONE, "duplicate")
        assert second["from"] == first["to"]
        assert second["to"] == {"decision": "relabel", "label": "dog", "reason": None}
        assert (second["comment"], second["job_id"]) == ("a dog", str(job.id))
        assert (second["who"], second["kind"], second["version"]) == ("test", "decide", 3)
        assert second["at"] > first["at"]
        assert second["key_id"]

    @on_sqlite
    def test_without_if_match_is_refused(self, client: TestClient, sample_ids: list[str]) -> None:
        reply = put(client, sample_ids[0], {"decision": "keep"}, None)
        assert (reply.status_code, reply.json()["code"]) == (428, "precondition_required")

    @on_sqlite
    def test_with_another_version_is_refused_and_shows_what_is_in_force(
        self, client: TestClient, path: str, sample_ids: list[str]
    ) -> None:
        for if_match in ('"2"', "2", 'W/"1"', '"one"', "", '"0", "2"', "9" * 5000):
            reply = put(client, sample_ids[0], {"decision": "keep"}, if_match)
            assert (reply.status_code, reply.json()["code"]) == (412, "version_conflict")
            assert (reply.json()["version"], reply.json()["in_force"]) == (1, NONE)
        assert walk(client, path) == []

    @on_sqlite
    def test_takes_any_way_to_name_the_version(
        self, client: TestClient, sample_ids: list[str]
    ) -> None:
        ways = ('"1"', "1", '"7", "1"', "*")
        for sample_id, if_match in zip(sample_ids, ways, strict=False):
            assert put(client, sample_id, {"decision": "keep"}, if_match).status_code == 200

    @on_sqlite
    def test_refuses_what_makes_no_sense(
        self, client: TestClient, path: str, sample_ids: list[str]
    ) -> None:
        for body, code in NONSENSE:
            reply = put(client, sample_ids[0], body, '"1"')
            assert (reply.status_code, reply.json()["code"]) == (422, code), body
        assert walk(client, path) == []

    def test_knows_no_sample_and_no_job_of_others(
        self,
        client: TestClient,
        stranger: TestClient,
        context: AppContext,
        tenant: Tenant,
        sample_ids: list[str],
    ) -> None:
        with context.database.unit_of_work() as session:
            other_job = make_job(session, make_dataset(session, tenant.id))
        unknown = put(client, "s0fffffffffffffff", {"decision": "keep"}, "*")
        foreign = put(stranger, sample_ids[0], {"decision": "keep"}, "*")
        assert unknown.status_code == foreign.status_code == 404
        assert unknown.json()["detail"] == foreign.json()["detail"]
        body = {"decision": "keep", "job_id": str(other_job.id)}
        assert put(client, sample_ids[0], body, "*").status_code == 404
        assert client.get(f"/v1/samples/{sample_ids[0]}").json()["version"] == 1

    @on_sqlite
    def test_needs_the_right_to_review(
        self, make_client: MakeClient, tenant: Tenant, path: str, sample_ids: list[str]
    ) -> None:
        others = make_client(tenant.id, [scope for scope in Scope if scope is not Scope.REVIEW])
        assert put(others, sample_ids[0], {"decision": "keep"}, "*").status_code == 403
        assert others.post(path, json={}).status_code == 403
        assert others.post(f"{path}/undo").status_code == 403
        assert walk(others, path) == []


class TestLog:
    def test_pages_in_both_orders_and_by_sample_and_step(
        self, client: TestClient, path: str, sample_ids: list[str], decide: Decide
    ) -> None:
        for decision in ("keep", "unsure", "exclude"):
            for sample_id in sample_ids[:2]:
                decide(sample_id, decision)
        entries = walk(client, path)
        assert [entry["id"] for entry in entries] == sorted(entry["id"] for entry in entries)
        assert len(entries) == 6
        for limit in (1, 4, 6):
            assert walk(client, path, limit=limit) == entries
            assert walk(client, path, limit=limit, sort="-id") == entries[::-1]
        assert walk(client, path, limit=2, sample_id=sample_ids[0]) == entries[::2]
        assert walk(client, path, step_id=entries[3]["step_id"]) == [entries[3]]
        steps = walk(client, f"{path}/steps", limit=2)
        assert [step["step_id"] for step in steps] == [e["step_id"] for e in entries][::-1]
        assert {step["num_samples"] for step in steps} == {1}

    @on_sqlite
    def test_of_others_is_unknown(self, stranger: TestClient, path: str) -> None:
        for name in ("", "/steps"):
            assert stranger.get(path + name).status_code == 404

    def test_goes_with_its_data_set(
        self, client: TestClient, context: AppContext, dataset: Dataset, sample_ids: list[str],
        decide: Decide,
    ) -> None:  # fmt: skip
        decide(sample_ids[0], "keep")
        assert client.delete(f"/v1/datasets/{dataset.id}").status_code == 204
        with context.database.read() as session:
            assert session.query(Sample).count() == 0

    def test_of_another_data_set_is_apart(
        self, client: TestClient, context: AppContext, tenant: Tenant, sample_ids: list[str],
        decide: Decide,
    ) -> None:  # fmt: skip
        decide(sample_ids[0], "keep")
        with context.database.unit_of_work() as session:
            other = make_dataset(session, tenant.id)
            make_samples(session, other, 1)
        assert walk(client, f"/v1/datasets/{other.id}/decisions") == []
