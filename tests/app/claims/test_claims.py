from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update
from starlette.testclient import TestClient

from app.core.clock import utc_now
from app.http.context import AppContext
from app.models import Job, JobState, ReviewClaim
from tests.app.claims.conftest import NUM_SAMPLES, Decide


def take(client: TestClient, job: Job, **wanted: Any) -> list[dict[str, Any]]:
    reply = client.post(f"/v1/jobs/{job.id}/claims", json=wanted)
    assert reply.status_code == 200, reply.text
    items: list[dict[str, Any]] = reply.json()["items"]
    return items


def ids(items: list[dict[str, Any]]) -> list[str]:
    return [item["sample_id"] for item in items]


class TestClaiming:
    def test_two_reviewers_never_meet_and_the_worst_come_first(
        self, job: Job, ann: TestClient, bob: TestClient
    ) -> None:
        first, second = take(ann, job, count=3), take(bob, job, count=3)
        assert [item["rank"] for item in first + second] == [1, 2, 3, 4, 5, 6]
        assert len(take(ann, job, count=9)) == NUM_SAMPLES - 6
        assert take(bob, job, count=9) == []
        listed = ann.get(f"/v1/jobs/{job.id}/claims").json()["items"]
        assert [item["rank"] for item in listed] == [1, 2, 3, 7, 8]

    def test_nobody_gets_what_another_got_at_the_same_moment(
        self, job: Job, ann: TestClient, bob: TestClient
    ) -> None:
        with ThreadPoolExecutor(8) as pool:
            futures = [
                pool.submit(take, client, job, count=1)
                for client in (ann, bob)
                for _ in range(NUM_SAMPLES // 2)
            ]
            taken = [sample for future in futures for sample in ids(future.result())]
        assert len(taken) == len(set(taken)) == NUM_SAMPLES

    def test_a_decision_gives_a_claim_back_and_takes_the_sample_off_the_queue(
        self, job: Job, ann: TestClient, bob: TestClient, decide: Decide
    ) -> None:
        first, second = ids(take(ann, job, count=2))
        decide(ann, first, "keep")
        assert ids(ann.get(f"/v1/jobs/{job.id}/claims").json()["items"]) == [second]
        assert first not in ids(take(bob, job, count=50))

    def test_a_bulk_decision_gives_claims_back_too(self, job: Job, ann: TestClient) -> None:
        taken = take(ann, job, count=2)
        samples = [{"sample_id": each["sample_id"], "version": each["version"]} for each in taken]
        reply = ann.post(
            f"/v1/datasets/{job.dataset_id}/decisions",
            json={"decision": "keep", "samples": samples},
        )
        assert reply.status_code == 200
        assert ann.get(f"/v1/jobs/{job.id}/claims").json()["items"] == []

    def test_what_is_given_back_or_expires_is_for_others(
        self, job: Job, context: AppContext, ann: TestClient, bob: TestClient
    ) -> None:
        take(ann, job, count=2)
        assert ann.delete(f"/v1/jobs/{job.id}/claims").json() == {"num_released": 2}
        assert [item["rank"] for item in take(bob, job, count=2)] == [1, 2]
        with context.database.unit_of_work() as session:
            past = utc_now() - timedelta(seconds=1)
            session.execute(update(ReviewClaim).values(expires_at=past))
        assert bob.get(f"/v1/jobs/{job.id}/claims").json()["items"] == []
        assert [item["rank"] for item in take(ann, job, count=2)] == [1, 2]

    def test_a_blind_reviewer_sees_no_suggestion(self, job: Job, ann: TestClient) -> None:
        (blind,) = take(ann, job, count=1, blind=True)
        hidden = (
            "suggested_label",
            "suggested_confidence",
            "p_mislabeled",
            "flagged",
            "sure",
            "rank",
        )
        assert {blind[name] for name in hidden} == {None}
        (seeing,) = take(ann, job, count=1)
        assert None not in {seeing[name] for name in hidden}
        assert (blind["given_label"], blind["blind"], seeing["blind"]) == ("cat", True, False)

    def test_nobody_can_hoard(self, job: Job, ann: TestClient) -> None:
        take(ann, job, count=2)
        reply = ann.post(f"/v1/jobs/{job.id}/claims", json={"count": 499})
        assert (reply.status_code, reply.json()["code"]) == (409, "too_many_claims")

    @pytest.mark.parametrize(
        "body", [{"count": 0}, {"count": 501}, {"overlap": 1.1}, {"minutes": 0}, {"who": "me"}]
    )
    def test_nonsense_is_refused(self, job: Job, ann: TestClient, body: dict[str, Any]) -> None:
        assert ann.post(f"/v1/jobs/{job.id}/claims", json=body).status_code == 422

    def test_strangers_see_nothing(self, job: Job, ann: TestClient, stranger: TestClient) -> None:
        take(ann, job, count=2)
        for method, path in (
            ("POST", "claims"), ("GET", "claims"), ("DELETE", "claims"), ("GET", "agreement"),
            ("GET", "conflicts"),
        ):  # fmt: skip
            assert stranger.request(method, f"/v1/jobs/{job.id}/{path}").status_code == 404

    def test_a_job_that_runs_has_nothing_to_claim(
        self, job: Job, context: AppContext, ann: TestClient
    ) -> None:
        with context.database.unit_of_work() as session:
            session.get_one(Job, job.id).state = JobState.RUNNING
        reply = ann.post(f"/v1/jobs/{job.id}/claims")
        assert (reply.status_code, reply.json()["code"]) == (409, "not_finished")
