from typing import Any

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from app.core.clock import utc_now
from app.core.ids import format_sample_id
from app.findings.publish_repository import PublishRepository
from app.http.context import AppContext
from app.models import Finding, Job, JobKind, JobState, Queue, ResultVersion, Sample
from tests.app.conftest import NotedWakeUps
from tests.app.walking import walk
from tests.support.engines import on_sqlite
from tests.support.factories import with_ranks
from tests.support.learning import Audited, review, shown


def progress(client: TestClient, audited: Audited) -> dict[str, Any]:
    reply = client.get(f"/v1/jobs/{audited.job_id}/review/progress")
    assert reply.status_code == 200, reply.text
    body: dict[str, Any] = reply.json()
    return body


class TestRecalibrate:
    def test_queues_one_short_job(
        self,
        context: AppContext,
        reviewer: TestClient,
        audited: Audited,
        wake_ups: NotedWakeUps,
    ) -> None:
        review(context.database, audited, [0])
        replies = [reviewer.post(f"/v1/jobs/{audited.job_id}/recalibrate") for _ in range(2)]
        assert {reply.status_code for reply in replies} == {202}
        assert replies[0].json() == replies[1].json()
        job = reviewer.get(replies[0].headers["location"]).json()
        assert (job["kind"], job["state"]) == ("recalibrate", "queued")
        assert job["options"] == {"job_id": str(audited.job_id)}
        assert wake_ups.queues == ["cpu"]
        reply = reviewer.get(f"/v1/jobs/{job['id']}/samples")
        assert reply.status_code == 409

    def test_needs_a_decision_that_says_something(
        self, reviewer: TestClient, audited: Audited
    ) -> None:
        reply = reviewer.post(f"/v1/jobs/{audited.job_id}/recalibrate")
        assert (reply.status_code, reply.json()["code"]) == (409, "no_decisions")

    @on_sqlite
    def test_comes_by_itself_after_so_many_decisions(
        self, context: AppContext, audited: Audited
    ) -> None:
        review(context.database, audited, [0, 1], recalibrate_every=3)
        assert _kinds(context) == ["audit"]
        review(context.database, audited, [2, 3, 4], recalibrate_every=3)
        assert _kinds(context) == ["audit", "recalibrate"]


def _kinds(context: AppContext) -> list[str]:
    with context.database.read() as session:
        return [job.kind.value for job in session.scalars(select(Job).order_by(Job.created_at))]


class TestQueue:
    def test_a_walk_stays_with_the_results_that_it_began_with(
        self, context: AppContext, reviewer: TestClient, audited: Audited
    ) -> None:
        path = f"/v1/jobs/{audited.job_id}/samples"
        first = reviewer.get(path, params={"limit": 25}).json()
        _replace(context, audited)
        rest = reviewer.get(path, params={"limit": 50, "cursor": first["next_cursor"]}).json()
        ranks = [item["rank"] for item in first["items"] + rest["items"]]
        assert ranks == [*range(1, 61)]
        assert {item["p_uncalibrated"] for item in first["items"]} == {None}
        assert {item["p_uncalibrated"] for item in rest["items"]} == {None}
        newer = reviewer.get(path, params={"limit": 1}).json()["items"][0]
        assert newer["p_uncalibrated"] == pytest.approx(2 * newer["p_mislabeled"])


def _replace(context: AppContext, audited: Audited) -> None:
    """Show the results that a re-calibration would, which halves all probabilities."""
    rows = shown(context.database, audited)
    with context.database.unit_of_work() as session:
        job = session.get_one(Job, audited.job_id)
        version = ResultVersion(
            tenant_id=job.tenant_id, job_id=job.id, attempt=1, base_id=job.result_version
        )
        session.add(version)
        session.flush()
        session.get_one(ResultVersion, job.result_version).superseded_at = utc_now()
        for row in rows:
            names = Finding.__table__.columns.keys()
            values = {name: getattr(row, name) for name in names}
            p = row.p_mislabeled or 0.0
            half = {"p_mislabeled": p / 2, "p_uncalibrated": p}
            session.add_all(with_ranks(Finding(**values | half | {"version_id": version.id})))
        job.result_version = version.id


class TestProgress:
    def test_before_anything_is_decided(self, reviewer: TestClient, audited: Audited) -> None:
        body = progress(reviewer, audited)
        assert (body["num_samples"], body["num_flagged"], body["num_decided"]) == (60, 30, 0)
        assert body["calibrated"] is False
        assert body["remaining"] == {"estimate": pytest.approx(30), "low": None, "high": None}
        assert body["remaining_from"] == "probabilities"
        assert body["next"] == {
            "num": 60, "expected_precision": pytest.approx(0.5), "expected_found": pytest.approx(30)
        }  # fmt: skip
        ten = body["curve"][0]
        assert ten["num"] == 10
        assert ten["found"]["estimate"] == pytest.approx(sum(1 - (i + 0.5) / 60 for i in range(10)))
        assert ten["left"]["estimate"] == pytest.approx(30 - ten["found"]["estimate"])
        assert (body["rates"], body["predictive_check"]) == (None, None)

    def test_counts_what_is_decided_and_leaves_it_out_of_the_rest(
        self, context: AppContext, reviewer: TestClient, audited: Audited
    ) -> None:
        review(context.database, audited, [0, 1, 59])
        body = progress(reviewer, audited)
        assert body["num_decided"] == body["num_new"] == sum(body["decisions"].values()) == 3
        assert (body["num_flagged_left"], body["next"]["num"]) == (28, 57)
        decided = sum(1 - (i + 0.5) / 60 for i in (0, 1, 59))
        assert body["remaining"]["estimate"] == pytest.approx(30 - decided)

    def test_after_learning_tells_what_is_left_less_what_was_found_since(
        self, context: AppContext, reviewer: TestClient, audited: Audited
    ) -> None:
        review(context.database, audited, [10])
        _learn(context, audited)
        body = progress(reviewer, audited)
        assert body["remaining"] == {"estimate": 4.0, "low": 2.0, "high": 6.0}
        assert body["rates"]["before"]["noise_rate_interval"] == [0.1, 0.6]
        assert body["rates"]["after"]["noise_rate_interval"] == [0.2, 0.4]
        found = next(place for place, wrong in enumerate(audited.wrong) if wrong)
        review(context.database, audited, [found])
        body = progress(reviewer, audited)
        assert body["remaining"] == {"estimate": 3.0, "low": 1.0, "high": 5.0}
        assert body["num_new"] == 1

    def test_strangers_see_nothing(self, stranger: TestClient, audited: Audited) -> None:
        for method, path in (
            ("POST", "recalibrate"), ("GET", "review/progress"), ("GET", "difference"),
            ("GET", "review/first-look"),
        ):  # fmt: skip
            reply = stranger.request(method, f"/v1/jobs/{audited.job_id}/{path}")
            assert (reply.status_code, reply.json()["code"]) == (404, "not_found"), path


def _learn(context: AppContext, audited: Audited) -> None:
    """Store what a re-calibration would have left."""
    left = {"estimate": 4.0, "low": 2.0, "high": 6.0}
    few = {"estimate": 1.0, "low": 0.0, "high": 2.0}
    with context.database.unit_of_work() as session:
        job = session.get_one(Job, audited.job_id)
        newest = session.scalars(select(Sample.decision_id).order_by(Sample.decision_id.desc()))
        session.get_one(ResultVersion, job.result_version).calibration = {
            "num_learned": 1, "decided_until": max(each or 0 for each in newest),
            "remaining": left, "remaining_from": "decisions", "reliability": [],
            "curve": [
                {"num": 10, "found": few, "left": left}, {"num": 20, "found": left, "left": few},
            ],
            "predictive_check": 0.5,
            "rates": {
                "before": {"noise_rate": 0.5, "noise_rate_interval": [0.1, 0.6]},
                "after": {"noise_rate": 0.3, "noise_rate_interval": [0.2, 0.4]},
            },
        }  # fmt: skip


class TestFirstLook:
    @pytest.fixture
    def chosen(self, context: AppContext, audited: Audited) -> list[int]:
        """Places of the samples to look at first; chance chose every second one."""
        places = [40, 3, 12, 5, 59, 8]
        looks = [
            (audited.sample_ids[place], number % 2 == 0) for number, place in enumerate(places)
        ]
        with context.database.unit_of_work() as session:
            results = PublishRepository(session, audited.tenant_id, audited.job_id)
            results.set_first_look(looks)
        return places

    def test_come_in_order_without_what_the_audit_thinks(
        self, context: AppContext, reviewer: TestClient, audited: Audited, chosen: list[int]
    ) -> None:
        review(context.database, audited, chosen[:1])
        looks = walk(reviewer, f"/v1/jobs/{audited.job_id}/review/first-look", limit=4)
        names = [format_sample_id(audited.sample_ids[place]) for place in chosen]
        assert [look["sample_id"] for look in looks] == names
        assert [look["by_chance"] for look in looks] == [True, False] * 3
        assert [look["decision"] is None for look in looks] == [False] + [True] * 5
        assert set(looks[0]) == {
            "position", "sample_id", "path", "given_label", "has_image", "by_chance", "decision",
            "decided_label", "exclusion", "version",
        }  # fmt: skip

    def test_those_of_chance_alone_tell_the_noise_rate_of_all(
        self, context: AppContext, reviewer: TestClient, audited: Audited, chosen: list[int]
    ) -> None:
        assert progress(reviewer, audited)["by_chance"]["noise_rate"] is None
        review(context.database, audited, [*chosen, 0, 1])
        told = progress(reviewer, audited)["by_chance"]
        assert told["num_decided"] == 3
        assert told["num_wrong"] == sum(audited.wrong[place] for place in chosen[::2])
        assert told["noise_rate"]["low"] < told["noise_rate"]["high"]


class TestDifference:
    def test_names_new_flags_old_flags_and_agreement(
        self, context: AppContext, reviewer: TestClient, audited: Audited
    ) -> None:
        newer = _audit_again(context, audited)
        body = reviewer.get(f"/v1/jobs/{newer}/difference").json()
        assert body["against"] == str(audited.job_id)
        assert (body["num_newly_flagged"], body["num_no_longer_flagged"]) == (2, 1)
        names = [format_sample_id(audited.sample_ids[place]) for place in (30, 31)]
        assert [item["sample_id"] for item in body["newly_flagged"]] == names
        gone = body["no_longer_flagged"][0]
        assert gone["sample_id"] == format_sample_id(audited.sample_ids[0])
        assert (body["num_verified"], body["num_agreeing"]) == (1, 0)
        back = reviewer.get(
            f"/v1/jobs/{audited.job_id}/difference", params={"against": newer, "limit": 1}
        ).json()
        assert (back["num_newly_flagged"], back["num_no_longer_flagged"]) == (1, 2)
        assert len(back["no_longer_flagged"]) == 1

    def test_the_first_audit_has_nothing_to_differ_from(
        self, reviewer: TestClient, audited: Audited
    ) -> None:
        reply = reviewer.get(f"/v1/jobs/{audited.job_id}/difference")
        assert (reply.status_code, reply.json()["code"]) == (409, "no_earlier_audit")

    def test_only_audits_of_one_data_set_are_compared(
        self, reviewer: TestClient, audited: Audited
    ) -> None:
        reply = reviewer.get(
            f"/v1/jobs/{audited.job_id}/difference",
            params={"against": "00000000-0000-4000-8000-000000000000"},
        )
        assert reply.status_code == 404


def _audit_again(context: AppContext, audited: Audited) -> str:
    """Flag ranks 31 and 32 too; pin the worst one, though the training still doubts it."""
    rows = shown(context.database, audited)
    with context.database.unit_of_work() as session:
        old = session.get_one(Job, audited.job_id)
        job = Job(
            tenant_id=old.tenant_id, dataset_id=old.dataset_id, kind=JobKind.AUDIT,
            queue=Queue.GPU, state=JobState.SUCCEEDED, options={}, queued_at=old.queued_at,
        )  # fmt: skip
        session.add(job)
        session.flush()
        version = ResultVersion(tenant_id=old.tenant_id, job_id=job.id, attempt=1)
        session.add(version)
        session.flush()
        job.result_version = version.id
        for row in rows:
            is_pinned = row.rank == 1
            session.add_all(
                with_ranks(Finding(
                    version_id=version.id, sample_id=row.sample_id,
                    rank=60 if is_pinned else row.rank - 1, given_label=row.given_label,
                    suggested_label=row.suggested_label, suggested_confidence=1.0,
                    p_mislabeled=0.0 if is_pinned else row.p_mislabeled,
                    flagged=not is_pinned and row.rank <= 32, loss=row.loss,
                    verdict="verified" if is_pinned else row.verdict,
                    signals={"p_unpinned": 0.9} if is_pinned else {},
                ))
            )  # fmt: skip
        return str(job.id)
