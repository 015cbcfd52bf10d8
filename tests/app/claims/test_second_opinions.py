from typing import Any

import pytest
from starlette.testclient import TestClient

from app.claims.opinions import kappa
from app.models import Job
from tests.app.claims.conftest import NUM_SAMPLES, Decide
from tests.app.claims.test_claims import ids, take


def agreement(client: TestClient, job: Job) -> dict[str, Any]:
    body: dict[str, Any] = client.get(f"/v1/jobs/{job.id}/agreement").json()
    return body


def conflicts(client: TestClient, job: Job) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = client.get(f"/v1/jobs/{job.id}/conflicts").json()["items"]
    return items


@pytest.fixture
def shared(job: Job, ann: TestClient, decide: Decide) -> list[str]:
    """Four samples that two are to decide on, and Ann kept."""
    taken = ids(take(ann, job, count=4, overlap=1.0))
    for sample_id in taken:
        decide(ann, sample_id, "keep")
    return taken


class TestOverlap:
    def test_another_reviewer_gets_them_next_without_seeing_what_was_decided(
        self, job: Job, ann: TestClient, bob: TestClient, shared: list[str]
    ) -> None:
        assert not set(ids(take(ann, job, count=2))) & set(shared)
        seconds = take(bob, job, count=4)
        assert ids(seconds) == shared
        assert {item["second_opinion"] for item in seconds} == {True}
        assert "decision" not in seconds[0]

    def test_two_opinions_are_enough(
        self,
        job: Job,
        client: TestClient,
        bob: TestClient,
        shared: list[str],
        decide: Decide,
    ) -> None:
        for sample_id in ids(take(bob, job, count=4)):
            decide(bob, sample_id, "keep")
        assert not set(ids(take(client, job, count=50))) & set(shared)

    def test_the_share_is_about_the_one_asked_for(
        self, job: Job, ann: TestClient, bob: TestClient, decide: Decide
    ) -> None:
        for sample_id in ids(take(ann, job, count=NUM_SAMPLES)):
            decide(ann, sample_id, "keep")
        assert take(bob, job, count=NUM_SAMPLES) == []
        assert agreement(ann, job)["num_assigned"] == 0


class TestConflicts:
    def test_stand_until_somebody_settles_them_and_come_back_with_undo(
        self,
        job: Job,
        ann: TestClient,
        bob: TestClient,
        shared: list[str],
        decide: Decide,
    ) -> None:
        take(bob, job, count=4)
        decide(bob, shared[0], "keep")
        decide(bob, shared[1], "relabel", label="cat")
        decide(bob, shared[2], "exclude", reason="off_topic")
        assert agreement(ann, job) == {
            "num_assigned": 4, "num_compared": 3, "num_agreeing": 1, "num_conflicts": 2,
            "agreement": pytest.approx(1 / 3), "kappa": pytest.approx(0.0),
        }  # fmt: skip
        listed = conflicts(ann, job)
        assert [item["sample_id"] for item in listed] == sorted(shared[1:3])
        assert [each["decision"] for each in listed[0]["opinions"]] == ["keep", "relabel"]
        assert listed[0]["opinions"][1]["label"] == "cat"

        settled = decide(ann, shared[1], "keep", resolves=True)
        assert [item["sample_id"] for item in conflicts(ann, job)] == [shared[2]]
        # What was settled was seen differently all the same.
        assert agreement(ann, job)["num_agreeing"] == 1

        undo = f"/v1/datasets/{job.dataset_id}/decisions/undo"
        assert ann.post(undo, json={"step_id": settled["step_id"]}).status_code == 200
        assert len(conflicts(ann, job)) == 2

    def test_end_when_one_comes_round(
        self, job: Job, bob: TestClient, shared: list[str], decide: Decide
    ) -> None:
        take(bob, job, count=1)
        decide(bob, shared[0], "unsure")
        assert len(conflicts(bob, job)) == 1
        decide(bob, shared[0], "keep")
        assert conflicts(bob, job) == []
        assert agreement(bob, job)["agreement"] == 1.0

    def test_what_a_filter_met_is_nobodys_opinion(
        self, job: Job, bob: TestClient, shared: list[str]
    ) -> None:
        body = {
            "decision": "unsure",
            "job_id": str(job.id),
            "filter": {"decision": "keep"},
        }
        reply = bob.post(f"/v1/datasets/{job.dataset_id}/decisions", json=body)
        assert reply.json()["count"] == len(shared)
        assert agreement(bob, job)["num_compared"] == 0

    def test_are_paged(
        self, job: Job, ann: TestClient, bob: TestClient, shared: list[str], decide: Decide
    ) -> None:
        take(bob, job, count=4)
        for sample_id in shared:
            decide(bob, sample_id, "unsure")
        first = ann.get(f"/v1/jobs/{job.id}/conflicts", params={"limit": 3}).json()
        rest = ann.get(
            f"/v1/jobs/{job.id}/conflicts", params={"limit": 3, "cursor": first["next_cursor"]}
        ).json()
        assert ids(first["items"] + rest["items"]) == sorted(shared)
        assert rest["next_cursor"] is None


class TestKappa:
    def test_is_that_of_cohen(self) -> None:
        # 20 + 15 alike of 50, by chance 0.5: (0.7 - 0.5) / 0.5.
        pairs = [*[("y", "y")] * 20, *[("y", "n")] * 5, *[("n", "y")] * 10, *[("n", "n")] * 15]
        assert kappa(pairs) == pytest.approx(0.4)

    def test_is_not_defined_where_chance_alone_agrees(self) -> None:
        assert kappa([("y", "y")] * 3) is None
        assert kappa([]) is None
