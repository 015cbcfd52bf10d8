"""A promise that bands may be accepted in bulk: from its opening to the step that does it."""

from typing import Any

import pytest

from app.core.clock import utc_now
from app.core.ids import format_sample_id
from app.http.context import AppContext
from app.models import Finding, Job, PromiseSample, ResultVersion
from tests.app.promises.conftest import NUM_SAMPLES, Reviewer, other
from tests.support.engines import on_sqlite
from tests.support.factories import with_ranks

TERMS: dict[str, Any] = {"action": "relabel", "num_checks": 22, "shares": [0.04, 0.1, 0.2, 0.5]}
"""Bands of 16, 40, 80 and 200 samples; the worst 100 are wrong."""


def _accept(reviewer: Reviewer, promise: dict[str, Any], **body: Any) -> dict[str, Any]:
    reply = reviewer.client.post(f"/v1/promises/{promise['id']}/accept", json=body)
    assert reply.status_code == 200, reply.text
    done: dict[str, Any] = reply.json()
    return done


def _decisions(reviewer: Reviewer) -> dict[int, tuple[str | None, bool]]:
    """Return by place what is decided, and whether the label is now the other one."""
    items = reviewer.client.get(
        f"/v1/jobs/{reviewer.audited.job_id}/samples", params={"limit": 500}
    ).json()["items"]
    return {
        reviewer.place(item["sample_id"]): (
            item["decision"],
            item["decided_label"] == other(item["given_label"]),
        )
        for item in items
    }


class TestOpening:
    def test_bands_and_draws_are_pinned(self, reviewer: Reviewer) -> None:
        promise = reviewer.open("band", **TERMS)

        bands = promise["band"]["bands"]
        assert [band["num_samples"] for band in bands] == [16, 40, 80, 200]
        assert [band["num_checks"] for band in bands] == [16, 22, 22, 22]
        assert [band["state"] for band in bands] == ["open", *["not_reached"] * 3]
        assert promise["acceptable"] is None
        assert promise["num_samples"] == NUM_SAMPLES

    @on_sqlite
    def test_default_bands_are_those_of_the_guide(self, reviewer: Reviewer) -> None:
        bands = reviewer.open("band", action="exclude")["band"]["bands"]

        assert [band["share"] for band in bands] == [
            0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2,
        ]  # fmt: skip
        assert [band["num_samples"] for band in bands] == [2, 4, 8, 16, 24, 32, 40, 60, 80]

    @on_sqlite
    @pytest.mark.parametrize(
        "terms",
        [
            {"num_checks": 21},
            {"shares": [0.2, 0.1]},
            {"shares": [0.1, 0.1]},
            {"shares": []},
            {"alpha": 0.0},
            {"action": "keep"},
            {"seed": 1},
        ],
    )
    def test_terms_that_prove_nothing_are_refused(
        self, reviewer: Reviewer, terms: dict[str, Any]
    ) -> None:
        path = f"/v1/jobs/{reviewer.audited.job_id}/promises"

        reply = reviewer.client.post(path, json={"kind": "band"} | TERMS | terms)

        assert (reply.status_code, reply.json()["code"]) == (422, "validation_error")

    def test_the_list_is_of_what_nobody_had_decided_on(self, reviewer: Reviewer) -> None:
        for place in range(0, 20, 2):
            reviewer.decide(place)

        promise = reviewer.open("band", **TERMS | {"shares": [0.04]})

        assert promise["num_samples"] == NUM_SAMPLES - 10
        asked = {reviewer.place(check["sample_id"]) for check in reviewer.checks(promise)}
        assert asked == {1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 24, 25}


class TestChecks:
    def test_bands_follow_one_another_until_the_first_failure(self, reviewer: Reviewer) -> None:
        promise = reviewer.open("band", **TERMS)

        ended = reviewer.answer_all(promise)

        states = [band["state"] for band in ended["band"]["bands"]]
        assert (ended["state"], states) == ("kept", ["passed", "passed", "passed", "failed"])
        assert ended["acceptable"]["num_samples"] == 80
        assert ended["acceptable"]["most_not_good"] == 8
        assert "The worst 20.0% (80 samples) may be accepted" in ended["next"]
        assert "Of the worst 50.0%" in ended["next"]

    @on_sqlite
    def test_a_sample_that_is_drawn_again_is_not_shown_again(self, reviewer: Reviewer) -> None:
        reviewer.answer_all(reviewer.open("band", **TERMS))

        assert len(reviewer.seen) == len(set(reviewer.seen))
        assert len(reviewer.seen) < 16 + 3 * 22

    @on_sqlite
    def test_each_band_is_drawn_from_all_of_it(self, reviewer: Reviewer) -> None:
        """Also from its inner part, of which each sample was checked before."""
        promise = reviewer.open("band", **TERMS | {"shares": [0.05, 0.25], "num_checks": 50})

        reviewer.answer_all(promise)

        inner = [sample for sample in reviewer.seen if reviewer.place(sample) < 20]
        figures = reviewer.read(promise)["band"]["bands"]
        assert len(inner) == 20
        assert [band["num_answered"] for band in figures] == [20, 50]
        assert len(reviewer.seen) < 20 + 50

    @on_sqlite
    def test_a_reviewer_who_errs_breaks_it_and_is_told_the_numbers(
        self, reviewer: Reviewer
    ) -> None:
        promise = reviewer.open("band", **TERMS | {"shares": [0.2, 0.5]})
        for number, check in enumerate(reviewer.checks(promise)):
            wrongly = {"decision": "keep"} if number < 2 else {}
            reviewer.answer(promise, check, **wrongly)

        broken = reviewer.read(promise)

        assert broken["state"] == "broken"
        assert broken["acceptable"] is None
        assert broken["next"] == (
            "Broken. Nothing may be accepted. Of the worst 20.0%, 20 of 22 checks are good: "
            "that proves 77.6%, and 90.0% is needed."
        )
        reply = reviewer.client.post(f"/v1/promises/{promise['id']}/accept")
        assert (reply.status_code, reply.json()["code"]) == (409, "nothing_to_accept")

    def test_the_list_is_kept_as_long_as_it_may_be_accepted(
        self, context: AppContext, reviewer: Reviewer
    ) -> None:
        promise = reviewer.open("band", **TERMS | {"shares": [0.04]})
        assert _num_pinned(context) == 16
        reviewer.answer_all(promise)
        assert _num_pinned(context) == 16

        given_up = reviewer.open("band", **TERMS)
        assert _num_pinned(context) == 16 + given_up["band"]["bands"][-1]["num_samples"]
        reviewer.client.post(f"/v1/promises/{given_up['id']}/close").raise_for_status()

        assert _num_pinned(context) == 16

    @on_sqlite
    @pytest.mark.parametrize(
        ("action", "answer", "num_good"),
        [
            ("relabel", {"decision": "unsure"}, 0),
            ("relabel", {"decision": "exclude", "reason": "off_topic"}, 0),
            ("exclude", {"decision": "unsure"}, 0),
            ("exclude", {"decision": "exclude", "reason": "off_topic"}, 1),
            ("exclude", {"decision": "exclude", "reason": "unreadable"}, 0),
            ("exclude", {"decision": "keep"}, 0),
        ],
    )
    def test_what_is_good(
        self, reviewer: Reviewer, action: str, answer: dict[str, str], num_good: int
    ) -> None:
        promise = reviewer.open("band", **TERMS | {"action": action})

        now = reviewer.answer(promise, reviewer.checks(promise)[0], **answer)["promise"]

        band = now["band"]["bands"][0]
        assert (band["num_answered"], band["num_good"]) == (1, num_good)

    @on_sqlite
    def test_only_the_narrowest_open_band_is_asked(self, reviewer: Reviewer) -> None:
        promise = reviewer.open("band", **TERMS)
        asked = {check["sample_id"] for check in reviewer.checks(promise)}
        later = next(
            format_sample_id(number)
            for number in reviewer.audited.sample_ids
            if format_sample_id(number) not in asked
        )
        body = {"sample_id": later, "decision": "keep"}

        reply = reviewer.client.post(f"/v1/promises/{promise['id']}/answers", json=body)

        assert all(reviewer.place(sample_id) < 16 for sample_id in asked)
        assert reply.status_code == 404

    def test_newer_results_do_not_touch_it(self, context: AppContext, reviewer: Reviewer) -> None:
        promise = reviewer.open("band", **TERMS)
        asked = reviewer.checks(promise)
        _turn_upside_down(context, reviewer)

        assert reviewer.checks(promise) == asked
        ended = reviewer.answer_all(promise)
        assert ended["acceptable"]["num_samples"] == 80
        _accept(reviewer, promise)
        decided = _decisions(reviewer)
        assert all(decided[place] == ("relabel", True) for place in range(80))


def _num_pinned(context: AppContext) -> int:
    with context.database.read() as session:
        return session.query(PromiseSample).count()


def _turn_upside_down(context: AppContext, reviewer: Reviewer) -> None:
    """Publish results of the opposite order with other suggestions, and remove the old ones."""
    with context.database.unit_of_work() as session:
        job = session.get_one(Job, reviewer.audited.job_id)
        session.query(Finding).delete()
        version = ResultVersion(tenant_id=job.tenant_id, job_id=job.id, attempt=2)
        session.add(version)
        session.flush()
        for place, sample_id in enumerate(reversed(reviewer.audited.sample_ids)):
            given = (NUM_SAMPLES - 1 - place) % 2
            finding = Finding(
                version_id=version.id, sample_id=sample_id, rank=place + 1, given_label=given,
                suggested_label=given, suggested_confidence=0.5, p_mislabeled=0.5, flagged=True,
                loss=1.0, verdict="mislabeled", signals={},
            )  # fmt: skip
            session.add_all(with_ranks(finding))
        job.result_version, job.finished_at = version.id, utc_now()


class TestAccepting:
    def test_one_step_decides_what_nobody_has_and_is_undone_as_one(
        self, reviewer: Reviewer
    ) -> None:
        promise = reviewer.open("band", **TERMS)
        reviewer.answer_all(promise)
        spared = next(p for p, (decision, _) in _decisions(reviewer).items() if decision is None)
        reviewer.decide(spared, path="unsure")
        before = _decisions(reviewer)
        num = reviewer.read(promise)["acceptable"]["num_undecided"]
        assert num == sum(before[place][0] is None for place in range(80)) > 0

        shown = _accept(reviewer, promise, dry_run=True)
        assert (shown["dry_run"], shown["count"], shown["step"]) == (True, num, None)
        assert _decisions(reviewer) == before
        done = _accept(reviewer, promise, expected_count=num, comment="band of 20 %")

        assert (done["count"], done["step"]["num_samples"]) == (num, num)
        after = _decisions(reviewer)
        accepted = {place: after[place] for place in range(80) if place != spared}
        assert set(accepted.values()) == {("relabel", True)}
        assert after[spared] == ("unsure", False)
        assert {place: after[place] for place in range(80, 400)} == {
            place: before[place] for place in range(80, 400)
        }
        assert reviewer.read(promise)["accepted_step_id"] == done["step"]["step_id"]
        undo = {"step_id": done["step"]["step_id"]}
        path = f"/v1/datasets/{reviewer.audited.dataset_id}/decisions/undo"
        reviewer.client.post(path, json=undo).raise_for_status()
        assert _decisions(reviewer) == before

    def test_to_exclude_is_another_act(self, reviewer: Reviewer) -> None:
        promise = reviewer.open("band", **TERMS | {"action": "exclude", "shares": [0.2]})
        reviewer.answer_all(promise)
        looked_at = {reviewer.place(sample_id) for sample_id in reviewer.seen}

        _accept(reviewer, promise)

        after = _decisions(reviewer)
        decided = {place: after[place][0] for place in range(80)}
        assert {decided[place] for place in looked_at} == {"relabel"}
        assert {decided[place] for place in set(range(80)) - looked_at} == {"exclude"}

    @on_sqlite
    def test_a_band_that_has_passed_may_be_accepted_before_the_next(
        self, reviewer: Reviewer
    ) -> None:
        promise = reviewer.open("band", **TERMS)
        for check in reviewer.checks(promise):
            reviewer.answer(promise, check)

        now = reviewer.read(promise)
        assert (now["state"], now["acceptable"]["num_samples"]) == ("open", 16)
        closed = reviewer.client.post(f"/v1/promises/{promise['id']}/close").json()

        assert (closed["state"], closed["acceptable"]["num_samples"]) == ("kept", 16)

    @on_sqlite
    def test_another_number_than_was_shown_is_refused(self, reviewer: Reviewer) -> None:
        promise = reviewer.open("band", **TERMS | {"shares": [0.2]})
        reviewer.answer_all(promise)

        reply = reviewer.client.post(
            f"/v1/promises/{promise['id']}/accept", json={"expected_count": 1}
        )

        assert (reply.status_code, reply.json()["code"]) == (412, "count_changed")

    def test_what_was_decided_at_the_opening_is_never_accepted(self, reviewer: Reviewer) -> None:
        reviewer.decide(5)
        promise = reviewer.open("band", **TERMS | {"shares": [0.2]})
        path = f"/v1/datasets/{reviewer.audited.dataset_id}/decisions/undo"
        reviewer.client.post(path).raise_for_status()

        reviewer.answer_all(promise)
        _accept(reviewer, promise)

        assert _decisions(reviewer)[5] == (None, False)
