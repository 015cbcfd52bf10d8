"""Pages for several reviewers: what is one's own, blind decisions, and where two differ."""

import re

import pytest
from fastapi import FastAPI

from app.accounts.schemas import Scope
from app.http.context import AppContext
from app.models import Job, Tenant
from app.web.text import kappa_words
from tests.app.web.conftest import FakeBrowser
from tests.app.web.test_review import ids_in
from tests.support.factories import make_samples, publish_findings
from tests.support.rows import make_dataset, make_job

OURS = {"X-Label-Audit": "1"}


@pytest.fixture
def job(context: AppContext, tenant: Tenant) -> Job:
    with context.database.unit_of_work() as session:
        dataset = make_dataset(session, tenant.id, classes=["cat", "dog"])
        job = make_job(session, dataset)
        publish_findings(session, job, make_samples(session, dataset, 8))
        return job


@pytest.fixture
def other(app: FastAPI, context: AppContext, tenant: Tenant) -> FakeBrowser:
    """A second reviewer of the same tenant."""
    browser = FakeBrowser(app, context)
    browser.sign_in(tenant.id)
    return browser


def take(browser: FakeBrowser, job: Job, **wanted: object) -> list[str]:
    reply = browser.post(f"/v1/jobs/{job.id}/claims", json=wanted, headers=OURS)
    return [item["sample_id"] for item in reply.raise_for_status().json()["items"]]


def decide(browser: FakeBrowser, sample_id: str, **body: object) -> None:
    url = f"/v1/samples/{sample_id}/decision"
    headers = OURS | {"If-Match": "*"}
    assert browser.put(url, json=body, headers=headers).status_code == 200


def page_of(browser: FakeBrowser, job: Job, name: str) -> str:
    reply = browser.get(f"/jobs/{job.id}/{name}")
    assert reply.status_code == 200, reply.text
    return reply.text


class TestShare:
    def test_shows_what_is_ones_own_and_what_is_nobodys(
        self, signed_in: FakeBrowser, other: FakeBrowser, job: Job
    ) -> None:
        assert "Nothing is yours" in page_of(signed_in, job, "review/share")
        mine, theirs = take(signed_in, job, count=3), take(other, job, count=2)
        html = page_of(signed_in, job, "review/share")
        assert ids_in(html) == mine
        assert "3 left" in html
        # Four of eight are flagged, and three of these are held.
        assert re.search(r"1 suspect\s+is\s+still nobody", html)
        assert ids_in(page_of(other, job, "review/share")) == theirs
        decide(signed_in, mine[0], decision="keep")
        assert ids_in(page_of(signed_in, job, "review/share")) == mine[1:]

    def test_neighbours_of_a_sample_are_those_held(self, signed_in: FakeBrowser, job: Job) -> None:
        mine = take(signed_in, job, count=3)
        html = page_of(signed_in, job, f"samples/{mine[1]}?share=yes")
        for name, neighbour in (("previous", mine[0]), ("next", mine[2])):
            assert f'id="{name}-sample" href="/jobs/{job.id}/samples/{neighbour}?share=yes"' in html

    def test_offers_nothing_to_who_may_only_look(
        self, browser: FakeBrowser, tenant: Tenant, job: Job
    ) -> None:
        browser.sign_in(tenant.id, [Scope.READ])
        html = page_of(browser, job, "review/share")
        assert 'data-action="claim"' not in html.partition("<dialog")[0]


class TestBlind:
    def test_neither_tile_nor_page_tells_what_the_audit_thinks(
        self, signed_in: FakeBrowser, job: Job
    ) -> None:
        mine = take(signed_in, job, count=2, blind=True)
        pages = [
            page_of(signed_in, job, "review/share"),
            page_of(signed_in, job, f"samples/{mine[0]}"),
        ]
        for html in pages:
            assert 'data-suggested=""' in html
            assert "tile__chance" not in html
            assert "worth a look" not in html
        assert "What was measured" not in pages[1]
        decide(signed_in, mine[0], decision="keep")
        assert "What was measured" in page_of(signed_in, job, f"samples/{mine[0]}")

    def test_a_second_opinion_does_not_see_the_first(
        self, signed_in: FakeBrowser, other: FakeBrowser, job: Job
    ) -> None:
        (first,) = take(signed_in, job, count=1, overlap=1.0)
        decide(signed_in, first, decision="exclude", reason="unreadable")
        assert take(other, job, count=1) == [first]
        for name in ("review/share", f"samples/{first}"):
            assert "nreadable" not in page_of(other, job, name).partition("<dialog")[0]
        decide(other, first, decision="keep")
        assert "Excluded: unreadable" in page_of(other, job, f"samples/{first}")


class TestDifferences:
    def test_are_listed_with_both_opinions_until_one_is_settled(
        self, signed_in: FakeBrowser, other: FakeBrowser, job: Job
    ) -> None:
        assert "Nobody has looked twice" in page_of(signed_in, job, "review/differences")
        shared = take(signed_in, job, count=2, overlap=1.0)
        for sample_id in shared:
            decide(signed_in, sample_id, decision="keep")
        take(other, job, count=2)
        decide(other, shared[0], decision="keep")
        decide(other, shared[1], decision="unsure")
        html = page_of(signed_in, job, "review/differences")
        assert ids_in(html) == shared[1:]
        assert re.findall(r'class="tile__opinion">.*?<bdi>(\w+)</bdi></span>', html) == [
            "Kept",
            "Unsure",
        ]
        assert "Two people looked at 2 samples" in html
        decide(signed_in, shared[1], decision="unsure", resolves=True)
        html = page_of(signed_in, job, "review/differences")
        assert ids_in(html) == []
        assert "Nothing to settle" in html

    def test_agreement_is_put_into_words(self) -> None:
        said = [kappa_words(value) for value in (None, -0.1, 0.2, 0.5, 0.7, 0.92)]
        assert len(set(said)) == 6
        assert "0.92" in said[-1]
        assert "chance" in said[1]
