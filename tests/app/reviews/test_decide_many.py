"""Bulk decisions, by selection and by filter."""

from typing import Any

from starlette.testclient import TestClient

from app.core.ids import format_sample_id
from app.http.context import AppContext
from app.models import Dataset, Job, JobState, Split, Tenant
from tests.app.reviews.conftest import NUM_SAMPLES, Decide, audit
from tests.app.walking import walk
from tests.support.engines import on_sqlite
from tests.support.factories import make_sample, make_samples
from tests.support.rows import make_dataset, make_job


def named(sample_ids: list[str], version: int = 1) -> list[dict[str, object]]:
    return [{"sample_id": sample_id, "version": version} for sample_id in sample_ids]


NONSENSE: list[dict[str, Any]] = [
    {"decision": "keep"},
    {"decision": "keep", "samples": [], "filter": {}, "job_id": "x"},
    {"decision": "keep", "filter": {}},
    {"decision": "keep", "filter": {"min_p": 2}, "job_id": "x"},
    {"decision": "keep", "filter": {"max_p": "NaN"}, "job_id": "x"},
    {"decision": "keep", "filter": {"min_posterior": -1}, "job_id": "x"},
    {"decision": "relabel", "samples": []},
    {"decision": "relabel", "label": "dog", "accept_suggestion": True, "samples": []},
    {"decision": "relabel", "accept_suggestion": True, "samples": []},
    {"decision": "keep", "accept_suggestion": True, "samples": [], "job_id": "x"},
    {"decision": "keep", "samples": named(["s0000000000000001"] * 2)},
    {"decision": "keep", "samples": [{"sample_id": "s0000000000000001"}]},
    {"decision": "keep", "samples": [], "expected_count": -1},
]


def post(client: TestClient, path: str, **body: Any) -> Any:
    reply = client.post(path, json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()


class TestSelection:
    def test_changes_all_in_one_step(
        self, client: TestClient, path: str, sample_ids: list[str]
    ) -> None:
        answer = post(client, path, decision="keep", samples=named(sample_ids[:3]))
        assert (answer["count"], answer["dry_run"], answer["samples"]) == (3, False, [])
        entries = walk(client, path, step_id=answer["step"]["step_id"])
        assert [entry["sample_id"] for entry in entries] == sample_ids[:3]
        assert {entry["version"] for entry in entries} == {2}

    def test_changes_none_where_one_has_changed(
        self, client: TestClient, path: str, sample_ids: list[str], decide: Decide
    ) -> None:
        decide(sample_ids[1], "unsure")
        reply = client.post(path, json={"decision": "keep", "samples": named(sample_ids)})
        assert (reply.status_code, reply.json()["code"]) == (412, "version_conflict")
        assert reply.json()["conflicts"] == [{"sample_id": sample_ids[1], "version": 2}]
        assert len(walk(client, path)) == 1

    def test_knows_only_samples_of_its_data_set(
        self, client: TestClient, context: AppContext, tenant: Tenant, path: str,
        sample_ids: list[str],
    ) -> None:  # fmt: skip
        with context.database.unit_of_work() as session:
            other = make_dataset(session, tenant.id)
            make_samples(session, other, 1)
        for body in (
            {"decision": "keep", "samples": named([*sample_ids, "s0fffffffffffffff"])},
            {"decision": "keep", "samples": named(["nonsense"])},
        ):
            assert client.post(path, json=body).status_code == 404
        path_of_other = f"/v1/datasets/{other.id}/decisions"
        body = {"decision": "keep", "samples": named(sample_ids[:1])}
        assert client.post(path_of_other, json=body).status_code == 404
        assert walk(client, path) == []

    def test_accepts_the_suggestion_of_each(
        self, client: TestClient, path: str, job: Job, sample_ids: list[str]
    ) -> None:
        post(client, path, decision="relabel", accept_suggestion=True, job_id=str(job.id),
             samples=named(sample_ids[:2]))  # fmt: skip
        assert [entry["to"]["label"] for entry in walk(client, path)] == ["dog", "cat"]

    def test_accepts_no_suggestion_that_is_not_there(
        self, client: TestClient, context: AppContext, dataset: Dataset, path: str, job: Job,
        sample_ids: list[str],
    ) -> None:  # fmt: skip
        with context.database.unit_of_work() as session:
            current = session.get_one(Dataset, dataset.id)
            test = make_sample(session, current, NUM_SAMPLES, split=Split.TEST)
        body = {
            "decision": "relabel", "accept_suggestion": True, "job_id": str(job.id),
            "samples": named([sample_ids[0], format_sample_id(test.id)]),
        }  # fmt: skip
        reply = client.post(path, json=body)
        assert (reply.status_code, reply.json()["code"]) == (422, "no_suggestion")


class TestFilter:
    def test_meets_what_the_list_of_findings_shows(
        self, client: TestClient, path: str, job: Job
    ) -> None:
        chosen = {"min_p": 0.4, "suggested_label": "dog"}
        listed = walk(client, f"/v1/jobs/{job.id}/samples", **chosen)
        answer = post(
            client, path, decision="relabel", label="dog", job_id=str(job.id), filter=chosen
        )
        assert answer["count"] == len(listed) == 3
        assert answer["step"]["job_id"] == str(job.id)
        changed = walk(client, path)
        assert [entry["sample_id"] for entry in changed] == [row["sample_id"] for row in listed]

    def test_meets_what_the_losses_find_probable(
        self, client: TestClient, path: str, job: Job
    ) -> None:
        listed = walk(client, f"/v1/jobs/{job.id}/samples", min_posterior=0.3, decision="none")
        body = {"decision": "keep", "job_id": str(job.id), "filter": {"min_posterior": 0.3}}
        assert post(client, path, **body)["count"] == len(listed) > 0

    def test_meets_the_surely_wrong_alone(self, client: TestClient, path: str, job: Job) -> None:
        listed = walk(client, f"/v1/jobs/{job.id}/samples", sure=True)
        body = {"decision": "relabel", "accept_suggestion": True, "job_id": str(job.id)}
        assert post(client, path, **body, filter={"sure": True})["count"] == len(listed) == 1

    def test_leaves_decided_samples_alone_unless_told_otherwise(
        self, client: TestClient, path: str, job: Job, sample_ids: list[str], decide: Decide
    ) -> None:
        decide(sample_ids[0], "keep")
        everything = {"decision": "unsure", "job_id": str(job.id), "filter": {}}
        assert post(client, path, **everything)["count"] == len(sample_ids) - 1
        assert post(client, path, **everything) == {
            "dry_run": False, "count": 0, "samples": [], "step": None,
        }  # fmt: skip
        again = {**everything, "filter": {"decision": "keep"}}
        assert post(client, path, **again)["count"] == 1

    def test_dry_run_shows_count_and_a_random_sample_and_changes_nothing(
        self, client: TestClient, context: AppContext, tenant: Tenant
    ) -> None:
        with context.database.unit_of_work() as session:
            dataset = make_dataset(session, tenant.id)
            make_samples(session, dataset, 40)
        job = audit(context, dataset)
        path = f"/v1/datasets/{dataset.id}/decisions"
        body = {
            "decision": "relabel", "accept_suggestion": True, "job_id": str(job.id),
            "filter": {"label": "cat"}, "dry_run": True,
        }  # fmt: skip
        drawn = [post(client, path, **body) for _ in range(5)]
        assert {(answer["count"], answer["step"]) for answer in drawn} == {(20, None)}
        seen = [{item["sample_id"] for item in answer["samples"]} for answer in drawn]
        assert {len(ids) for ids in seen} == {12}
        assert len(set().union(*seen)) > 12
        item = drawn[0]["samples"][0]
        assert (item["given_label"], item["from"]["decision"]) == ("cat", None)
        assert item["to"] == {"decision": "relabel", "label": "dog", "reason": None}
        assert walk(client, path) == []

    def test_refuses_when_there_are_more_or_fewer_than_expected(
        self, client: TestClient, path: str, job: Job, sample_ids: list[str], decide: Decide
    ) -> None:
        body = {"decision": "exclude", "reason": "off_topic", "job_id": str(job.id), "filter": {}}
        count = post(client, path, **body, dry_run=True)["count"]
        decide(sample_ids[0], "keep")
        reply = client.post(path, json={**body, "expected_count": count})
        assert (reply.status_code, reply.json()["code"]) == (412, "count_changed")
        assert reply.json()["count"] == count - 1
        assert post(client, path, **body, expected_count=count - 1)["count"] == count - 1

    @on_sqlite
    def test_of_an_unfinished_or_foreign_job_is_refused(
        self, client: TestClient, context: AppContext, dataset: Dataset, tenant: Tenant, path: str
    ) -> None:
        with context.database.unit_of_work() as session:
            running = make_job(session, dataset, state=JobState.RUNNING)
            other = make_dataset(session, tenant.id)
            elsewhere = make_job(session, other, state=JobState.SUCCEEDED)
        body = {"decision": "keep", "filter": {}}
        reply = client.post(path, json={**body, "job_id": str(running.id)})
        assert (reply.status_code, reply.json()["code"]) == (409, "not_finished")
        reply = client.post(path, json={**body, "job_id": str(elsewhere.id)})
        assert reply.status_code in {404, 409}


@on_sqlite
class TestInput:
    def test_that_makes_no_sense_is_refused(self, client: TestClient, path: str) -> None:
        for body in NONSENSE:
            reply = client.post(path, json=body)
            assert (reply.status_code, reply.json()["code"]) == (422, "validation_error"), body

    def test_may_name_many_samples(self, client: TestClient, path: str) -> None:
        body = {"decision": "keep", "samples": named([f"s{i:016x}" for i in range(1, 20_001)])}
        assert client.post(path, json=body).status_code == 404
