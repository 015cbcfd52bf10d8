"""A promise of few wrong labels: from its opening to its end."""

from collections import Counter
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.accounts.schemas import Scope
from app.core.ids import format_sample_id
from tests.app.conftest import MakeClient
from tests.app.promises.conftest import NUM_SAMPLES, Reviewer
from tests.support.engines import on_sqlite
from tests.support.learning import Audited

TERMS: dict[str, Any] = {"target_share": 0.05, "stated_rate": 0.01}


@pytest.fixture
def clean(reviewer: Reviewer) -> Reviewer:
    """A reviewer to whom every label is right."""
    reviewer.num_wrong = 0
    return reviewer


class TestOpening:
    def test_terms_are_pinned_and_nothing_is_known_yet(self, clean: Reviewer) -> None:
        promise = clean.open("stop", **TERMS)

        assert (promise["state"], promise["num_samples"]) == ("open", NUM_SAMPLES)
        assert promise["seed"] is None
        assert promise["stop"]["wrong"] == {"low": 0, "high": NUM_SAMPLES}
        assert promise["stop"]["most_left"] == 20
        assert "eye of whoever answers" in promise["says"]
        assert clean.read(promise) == promise

    @on_sqlite
    def test_the_stated_rate_is_by_default_what_the_audit_expects(self, clean: Reviewer) -> None:
        assert clean.open("stop")["stop"]["stated_rate"] == pytest.approx(0.5)

    def test_what_was_decided_before_is_no_part_of_it(self, clean: Reviewer) -> None:
        for place in range(7):
            clean.decide(place)

        promise = clean.open("stop", **TERMS)

        decided = {format_sample_id(number) for number in clean.audited.sample_ids[:7]}
        asked = {check["sample_id"] for check in clean.checks(promise)}
        assert promise["num_samples"] == len(asked) == NUM_SAMPLES - 7
        assert not asked & decided

    def test_there_must_be_something_to_promise(self, clean: Reviewer) -> None:
        body = {"decision": "keep", "filter": {}, "job_id": str(clean.audited.job_id)}
        clean.client.post(
            f"/v1/datasets/{clean.audited.dataset_id}/decisions", json=body
        ).raise_for_status()

        path = f"/v1/jobs/{clean.audited.job_id}/promises"
        reply = clean.client.post(path, json={"kind": "stop"})

        assert (reply.status_code, reply.json()["code"]) == (409, "nothing_to_promise")


class TestChecks:
    @on_sqlite
    def test_they_are_blind(self, clean: Reviewer) -> None:
        check = clean.checks(clean.open("stop", **TERMS))[0]

        assert check.keys() == {"position", "sample_id", "path", "given_label", "has_image"}

    @on_sqlite
    def test_each_sample_is_as_likely_as_any_other_to_be_first(self, clean: Reviewer) -> None:
        """By quarters of the ranking, over draws with seeds of their own."""
        firsts = Counter(
            clean.place(check["sample_id"]) * 4 // NUM_SAMPLES
            for promise in (clean.open("stop", **TERMS) for _ in range(3))
            for check in clean.checks(promise)[:100]
        )

        assert sum(firsts.values()) == 300
        assert all(45 <= firsts[quarter] <= 105 for quarter in range(4))

    def test_an_answer_is_a_decision_like_any_other(self, clean: Reviewer) -> None:
        promise = clean.open("stop", **TERMS)
        check = clean.checks(promise)[0]

        answered = clean.answer(promise, check, decision="keep", comment="clear")

        sample = clean.client.get(f"/v1/samples/{check['sample_id']}").json()
        assert (sample["decision"], sample["version"]) == ("keep", 2)
        path = f"/v1/datasets/{clean.audited.dataset_id}/decisions"
        entry = clean.client.get(path).json()["items"][-1]
        assert entry["step_id"] == answered["decision"]["step_id"]
        assert (entry["comment"], entry["job_id"]) == ("clear", str(clean.audited.job_id))

    def test_decisions_made_elsewhere_do_not_count(self, clean: Reviewer) -> None:
        promise = clean.open("stop", **TERMS)
        first = clean.checks(promise)[0]

        clean.decide(clean.place(first["sample_id"]))

        assert clean.read(promise)["stop"]["num_checks"] == 0
        assert clean.checks(promise)[0] == first

    @on_sqlite
    def test_none_may_be_left_out(self, clean: Reviewer) -> None:
        promise = clean.open("stop", **TERMS)
        first, second, third = clean.checks(promise)[:3]

        later = [clean.answer(promise, check)["promise"] for check in (second, third)]
        assert [now["stop"]["num_checks"] for now in later] == [0, 0]

        assert clean.answer(promise, first)["promise"]["stop"]["num_checks"] == 3

    def test_an_undone_answer_is_none(self, clean: Reviewer) -> None:
        promise = clean.open("stop", **TERMS)
        check = clean.checks(promise)[0]
        clean.answer(promise, check, decision="unsure")
        clean.client.post(
            f"/v1/datasets/{clean.audited.dataset_id}/decisions/undo"
        ).raise_for_status()

        assert clean.checks(promise)[0] == check
        now = clean.answer(promise, check)["promise"]["stop"]
        assert (now["num_checks"], now["num_wrong"]) == (1, 0)

    @on_sqlite
    @pytest.mark.parametrize(
        "answer",
        [
            {"decision": "unsure"},
            {"decision": "exclude", "reason": "duplicate"},
            {"decision": "exclude", "reason": "unreadable"},
            {"decision": "exclude", "reason": "off_topic"},
        ],
    )
    def test_what_does_not_say_that_the_label_is_right_counts_against_it(
        self, clean: Reviewer, answer: dict[str, str]
    ) -> None:
        promise = clean.open("stop", **TERMS)

        now = clean.answer(promise, clean.checks(promise)[0], **answer)["promise"]["stop"]

        assert (now["num_checks"], now["num_wrong"]) == (1, 1)
        assert now["num_found"] == (answer.get("reason") == "off_topic")

    @on_sqlite
    @pytest.mark.parametrize(
        ("answer", "status", "code"),
        [
            ({"decision": "exclude"}, 422, "validation_error"),
            ({"decision": "relabel"}, 422, "validation_error"),
            ({"decision": "relabel", "label": "bird"}, 422, "unknown_class"),
            ({"decision": "keep", "sample_id": "s0000000000000fff"}, 404, "not_found"),
        ],
    )
    def test_answers_that_are_none(
        self, clean: Reviewer, answer: dict[str, str], status: int, code: str
    ) -> None:
        promise = clean.open("stop", **TERMS)
        body = {"sample_id": clean.checks(promise)[0]["sample_id"]} | answer

        reply = clean.client.post(f"/v1/promises/{promise['id']}/answers", json=body)

        assert (reply.status_code, reply.json()["code"]) == (status, code)
        assert clean.read(promise) == promise

    @on_sqlite
    def test_a_check_is_answered_once(self, clean: Reviewer) -> None:
        promise = clean.open("stop", **TERMS)
        check = clean.checks(promise)[0]
        clean.answer(promise, check)
        body = {"sample_id": check["sample_id"], "decision": "unsure"}

        reply = clean.client.post(f"/v1/promises/{promise['id']}/answers", json=body)

        assert (reply.status_code, reply.json()["code"]) == (409, "check_answered")


class TestEnd:
    def test_it_is_kept_after_as_many_right_labels_as_it_says(self, clean: Reviewer) -> None:
        promise = clean.open("stop", **TERMS)

        ended = clean.answer_all(promise)

        assert ended["state"] == "kept"
        assert len(clean.seen) == promise["stop"]["num_to_go"] == ended["stop"]["num_checks"]
        assert ended["stop"]["left"] == {"low": 0, "high": 20}
        assert "You may stop" in ended["next"]
        assert ended["ended_at"] is not None
        assert ended["seed"] is not None

    @on_sqlite
    def test_a_reviewer_who_errs_breaks_it_and_is_told_the_numbers(self, clean: Reviewer) -> None:
        promise = clean.open("stop", **TERMS)
        now = promise
        while now["state"] == "open":
            now = clean.answer(promise, clean.checks(promise)[0], decision="unsure")["promise"]

        assert now["state"] == "broken"
        figures = now["stop"]
        assert figures["left"]["low"] > figures["most_left"] == 20
        assert now["next"].startswith(f"Broken after {figures['num_checks']} checks")
        assert f"{figures['left']['low']} to {figures['left']['high']} wrong" in now["next"]

    def test_wrong_labels_that_anybody_finds_are_taken_off(self, clean: Reviewer) -> None:
        promise = clean.open("stop", **TERMS)
        before = clean.read(promise)["stop"]["left"]
        for place in range(3):
            clean.decide(place, path="relabel")

        after = clean.read(promise)["stop"]

        assert after["num_found"] == 3
        assert after["left"]["high"] == before["high"] - 3

    def test_a_filter_finds_nothing(self, clean: Reviewer) -> None:
        promise = clean.open("stop", **TERMS)
        body = {
            "decision": "relabel", "accept_suggestion": True, "filter": {"flagged": True},
            "job_id": str(clean.audited.job_id),
        }  # fmt: skip
        clean.client.post(
            f"/v1/datasets/{clean.audited.dataset_id}/decisions", json=body
        ).raise_for_status()

        assert clean.read(promise)["stop"]["num_found"] == 0

    def test_what_was_decided_at_the_opening_is_never_found(self, clean: Reviewer) -> None:
        clean.decide(0)
        promise = clean.open("stop", **TERMS)

        clean.decide(0, path="relabel")
        clean.decide(1, path="relabel")

        assert clean.read(promise)["stop"]["num_found"] == 1

    @on_sqlite
    def test_closing_puts_it_on_record(self, clean: Reviewer) -> None:
        promise = clean.open("stop", **TERMS)
        for check in clean.checks(promise)[:5]:
            clean.answer(promise, check)

        closed = clean.client.post(f"/v1/promises/{promise['id']}/close").json()

        assert (closed["state"], closed["stop"]["num_checks"]) == ("closed", 5)
        assert "Nothing is proved" in closed["next"]
        assert clean.checks(promise) == []
        for path, body in (("close", None), ("answers", {"sample_id": "x", "decision": "keep"})):
            reply = clean.client.post(f"/v1/promises/{promise['id']}/{path}", json=body)
            assert (reply.status_code, reply.json()["code"]) == (409, "promise_ended")
        assert clean.read(promise) == closed

    @on_sqlite
    def test_closing_one_that_holds_keeps_it(self, clean: Reviewer) -> None:
        promise = clean.open("stop", target_share=0.5, stated_rate=0.01)
        almost = promise["stop"]["num_to_go"] - 1
        for check in clean.checks(promise)[:almost]:
            clean.answer(promise, check)
        waiting = clean.checks(promise)
        for check in waiting[-40:]:
            clean.decide(clean.place(check["sample_id"]), path="relabel")

        holding = clean.read(promise)
        assert (holding["state"], holding["stop"]["holds"]) == ("open", True)
        kept = clean.client.post(f"/v1/promises/{promise['id']}/close").json()
        assert kept["state"] == "kept"

    @on_sqlite
    def test_nothing_can_be_accepted(self, clean: Reviewer) -> None:
        promise = clean.open("stop", **TERMS)

        reply = clean.client.post(f"/v1/promises/{promise['id']}/accept")

        assert (reply.status_code, reply.json()["code"]) == (409, "nothing_to_accept")


class TestRecord:
    def test_all_stay_listed_newest_first(self, clean: Reviewer) -> None:
        opened = [clean.open("stop", **TERMS) for _ in range(3)]
        path = f"/v1/jobs/{clean.audited.job_id}/promises"

        first = clean.client.get(path, params={"limit": 2}).json()
        rest = clean.client.get(path, params={"cursor": first["next_cursor"]}).json()

        assert first["items"] + rest["items"] == opened[::-1]

    def test_it_is_the_tenants_own(self, clean: Reviewer, stranger: TestClient) -> None:
        promise = clean.open("stop", **TERMS)
        check = clean.checks(promise)[0]
        path = f"/v1/promises/{promise['id']}"
        body = {"sample_id": check["sample_id"], "decision": "keep"}

        replies = [
            stranger.get(path),
            stranger.get(f"{path}/checks"),
            stranger.post(f"{path}/answers", json=body),
            stranger.post(f"{path}/accept"),
            stranger.post(f"{path}/close"),
            stranger.get(f"/v1/jobs/{clean.audited.job_id}/promises"),
        ]

        assert {reply.status_code for reply in replies} == {404}

    @on_sqlite
    def test_whoever_may_only_read_changes_nothing(
        self, clean: Reviewer, make_client: MakeClient, audited: Audited
    ) -> None:
        promise = clean.open("stop", **TERMS)
        reading = make_client(audited.tenant_id, [Scope.READ])
        path = f"/v1/promises/{promise['id']}"

        assert reading.get(path).status_code == 200
        for url in (f"{path}/close", f"{path}/accept", f"/v1/jobs/{audited.job_id}/promises"):
            assert reading.post(url, json={"kind": "stop"}).status_code == 403
