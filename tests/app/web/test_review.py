"""The review queue and the page of a sample, as they come from the service."""

import re
from uuid import UUID

import pytest
from sqlalchemy import update

from app.accounts.schemas import Scope
from app.core.ids import format_sample_id
from app.http.context import AppContext
from app.models import Base, Finding, Job, JobState, Sample, Tenant
from tests.app.web.conftest import FakeBrowser
from tests.support.factories import make_sample, make_samples, publish_findings
from tests.support.rows import make_dataset, make_job, make_tenant

NUM_SAMPLES = 120
NAME = '<b onclick="x()">&'


@pytest.fixture
def job(context: AppContext, tenant: Tenant) -> Job:
    """Half of its samples are flagged; the second flagged one is kept already."""
    return _make_job(context, tenant.id)


def _make_job(context: AppContext, tenant_id: UUID) -> Job:
    with context.database.unit_of_work() as session:
        dataset = make_dataset(session, tenant_id, classes=[NAME, "dog"])
        samples = make_samples(session, dataset, NUM_SAMPLES - 1)
        samples.append(make_sample(session, dataset, NUM_SAMPLES, sha256=None, media_type=None))
        samples[2].decision = "keep"
        job = make_job(session, dataset)
        publish_findings(session, job, samples)
        return job


def ids_in(html: str) -> list[str]:
    return re.findall(r'id="tile-(s[0-9a-f]{16})"', html)


def heading_of(html: str) -> str:
    found = re.search(r'class="empty__title">([^<]+)<', html)
    assert found is not None
    return found[1]


def change(context: AppContext, table: type[Base], **values: object) -> None:
    """Set columns of all rows of a table."""
    with context.database.unit_of_work() as session:
        session.execute(update(table).values(**values))


class TestQueue:
    def test_shows_what_is_flagged_and_to_do_page_by_page(
        self, signed_in: FakeBrowser, job: Job
    ) -> None:
        path = f"/jobs/{job.id}/review"
        listed = signed_in.get(
            f"/v1/jobs/{job.id}/samples?flagged=true&decision=none&limit=500"
        ).json()["items"]
        first = signed_in.get(path).text
        following = re.search(r'data-next="([^"]+)"', first)
        assert following is not None
        second = signed_in.get(following[1].replace("&amp;", "&"), headers={
            "HX-Request": "true", "HX-Request-Type": "partial",
        }).text  # fmt: skip
        assert "<html" not in second
        assert 'data-next=""' in second
        assert ids_in(first) + ids_in(second) == [item["sample_id"] for item in listed]
        assert (len(ids_in(first)), len(listed)) == (48, 59)

    def test_takes_filters_from_a_form_whose_other_fields_are_empty(
        self, signed_in: FakeBrowser, job: Job
    ) -> None:
        empty = {"label": "", "suggested_label": "", "min_p": "", "max_p": "", "min_posterior": ""}
        for wanted, number in (
            ({}, 48),
            ({"label": "dog"}, 0),  # factories flag every second sample, all of one class
            ({"decision": "keep"}, 1),
            ({"decision": "any", "min_p": "0.9"}, 7),
            ({"verdict": "hard"}, 30),  # every fourth, whatever is flagged
            ({"verdict": "hard", "max_p": "0.5"}, 14),
            ({"verdict": "off_topic"}, 0),
            ({"decision": "any", "min_posterior": "0.4"}, 12),
            ({"flagged": "any", "decision": "any", "max_p": "0.1", "label": "dog"}, 5),
        ):
            reply = signed_in.get(f"/jobs/{job.id}/review", params=empty | wanted)
            assert reply.status_code == 200, wanted
            assert len(ids_in(reply.text)) == number, wanted

    def test_tells_the_kind_and_what_else_a_sample_may_be(
        self, signed_in: FakeBrowser, job: Job
    ) -> None:
        html = signed_in.get(f"/jobs/{job.id}/review?verdict=hard").text
        assert "hard to learn</bdi>" in html
        assert html.count('class="tile__verdict" title="This label is not flagged, but') == 30
        assert "[[&#34;dog&#34;, 0.2]]" in html

    def test_names_are_escaped(self, signed_in: FakeBrowser, job: Job) -> None:
        html = signed_in.get(f"/jobs/{job.id}/review?label=<i>").text
        html += signed_in.get(f"/jobs/{job.id}/review").text
        assert NAME not in html
        assert "<i>" not in html
        assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=(?![&\\])", html)

    def test_is_of_the_own_tenant_and_of_a_finished_audit(
        self, signed_in: FakeBrowser, context: AppContext, job: Job
    ) -> None:
        with context.database.unit_of_work() as session:
            other = make_tenant(session, "other")
        foreign = _make_job(context, other.id)
        assert signed_in.get(f"/jobs/{foreign.id}/review").status_code == 404
        with context.database.unit_of_work() as session:
            session.get_one(Job, job.id).state = JobState.FAILED
        assert signed_in.get(f"/jobs/{job.id}/review").status_code == 409

    def test_offers_no_decision_to_who_may_only_look(
        self, browser: FakeBrowser, tenant: Tenant, job: Job
    ) -> None:
        browser.sign_in(tenant.id, [Scope.READ])
        html = browser.get(f"/jobs/{job.id}/review").text
        assert 'data-may-review="no"' in html
        assert 'type="button" data-action="keep"' not in html

    def test_comes_with_the_columns_that_the_cookie_names(
        self, signed_in: FakeBrowser, job: Job
    ) -> None:
        for text, columns in (("3", 3), ("9", 6), ("x", 6)):
            signed_in.cookies.set("labelaudit_columns", text)
            assert f'"board board--{columns}"' in signed_in.get(f"/jobs/{job.id}/review").text


class TestEmptyQueue:
    """What a queue without samples says is true."""

    def test_where_nothing_could_be_judged(
        self, signed_in: FakeBrowser, context: AppContext, job: Job
    ) -> None:
        change(context, Finding, p_mislabeled=None, flagged=False, verdict="not_judged")
        html = signed_in.get(f"/jobs/{job.id}/review").text
        assert heading_of(html) == "No label could be judged"
        assert "verdict=not_judged" in html
        assert len(ids_in(signed_in.get(f"/jobs/{job.id}/review?verdict=not_judged").text)) == 48

    def test_where_nothing_was_flagged(
        self, signed_in: FakeBrowser, context: AppContext, job: Job
    ) -> None:
        change(context, Finding, flagged=False)
        html = signed_in.get(f"/jobs/{job.id}/review").text
        assert heading_of(html) == "No label was flagged"

    def test_where_all_that_was_flagged_is_decided(
        self, signed_in: FakeBrowser, context: AppContext, job: Job
    ) -> None:
        change(context, Sample, decision="keep")
        html = signed_in.get(f"/jobs/{job.id}/review").text
        assert heading_of(html) == "Every flagged label is decided"

    def test_where_the_filters_meet_nothing(
        self, signed_in: FakeBrowser, context: AppContext, job: Job
    ) -> None:
        change(context, Finding, flagged=False)
        html = signed_in.get(f"/jobs/{job.id}/review?label=dog").text
        assert heading_of(html) == "Nothing matches these filters"

    def test_behind_the_last_sample(
        self, signed_in: FakeBrowser, context: AppContext, job: Job
    ) -> None:
        first = signed_in.get(f"/jobs/{job.id}/review").text
        following = re.search(r'data-next="([^"]+)"', first)
        assert following is not None
        change(context, Sample, decision="keep")
        html = signed_in.get(following[1].replace("&amp;", "&")).text
        assert heading_of(html) == "This is the end of the queue"


class TestSample:
    def test_knows_its_neighbours_under_the_same_filters(
        self, signed_in: FakeBrowser, job: Job
    ) -> None:
        items = signed_in.get(f"/v1/jobs/{job.id}/samples?limit=8").json()["items"]
        ids = [item["sample_id"] for item in items]
        base = f"/jobs/{job.id}/samples"
        # Of every second sample that is flagged, the second one is kept.
        for place, before, after in ((0, None, 4), (4, 0, 6), (5, 4, 6), (2, 0, 4)):
            html = signed_in.get(f"{base}/{ids[place]}").text
            for name, other in (("previous", before), ("next", after)):
                link = f'id="{name}-sample" href="{base}/{ids[other or 0]}?"'
                assert (link in html) is (other is not None), (place, name)

    def test_shows_what_the_losses_say_beside_what_the_audit_says(
        self, signed_in: FakeBrowser, job: Job
    ) -> None:
        ranked = signed_in.get(f"/v1/jobs/{job.id}/samples?sort=-posterior").json()["items"]
        first, last = (
            ranked[0],
            signed_in.get(f"/v1/jobs/{job.id}/samples?sort=posterior").json()["items"][0],
        )
        page = signed_in.get(f"/jobs/{job.id}/samples/{first['sample_id']}?sort=-posterior").text
        facts = page.partition("sample__verdict")[2].partition("</section>")[0]
        assert "By the losses" in facts
        assert f"{first['signals']['posterior']:.0%}".removesuffix("%") in facts
        assert f'id="next-sample" href="/jobs/{job.id}/samples/' in page
        page = signed_in.get(f"/jobs/{job.id}/samples/{last['sample_id']}").text
        assert "By the losses" not in page

    def test_without_an_image_says_so(self, signed_in: FakeBrowser, job: Job) -> None:
        last = signed_in.get(f"/v1/jobs/{job.id}/samples?sort=p_mislabeled").json()["items"][0]
        html = signed_in.get(f"/jobs/{job.id}/samples/{last['sample_id']}").text
        assert "No image" in html
        assert "hard to learn" in html  # the factory's verdict on every fourth sample
        assert "20" in html.partition("What else it may be")[2].partition("</section>")[0]

    def test_tells_who_decided_what(self, signed_in: FakeBrowser, job: Job) -> None:
        sample = signed_in.get(f"/v1/jobs/{job.id}/samples").json()["items"][0]
        url = f"/v1/samples/{sample['sample_id']}/decision"
        body = {"decision": "exclude", "reason": "duplicate", "comment": "<u>twin</u>"}
        headers = {"If-Match": "*", "X-Label-Audit": "1"}
        assert signed_in.put(url, json=body, headers=headers).status_code == 200
        html = signed_in.get(f"/jobs/{job.id}/samples/{sample['sample_id']}").text
        assert "Excluded: duplicate" in html
        assert "Ada&#39;s key" in html
        assert "&lt;u&gt;twin&lt;/u&gt;" in html

    def test_of_another_job_or_none_is_unknown(self, signed_in: FakeBrowser, job: Job) -> None:
        for text in ("nonsense", format_sample_id(2**40)):
            assert signed_in.get(f"/jobs/{job.id}/samples/{text}").status_code == 404
