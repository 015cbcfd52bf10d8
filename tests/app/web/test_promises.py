"""Pages of promises: the list with its forms, and one with its figures."""

import pytest

from app.accounts.schemas import Scope
from app.http.context import AppContext
from app.models import Job, Tenant
from tests.app.web.conftest import FakeBrowser
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


def opened(browser: FakeBrowser, job: Job, **terms: object) -> str:
    reply = browser.post(f"/v1/jobs/{job.id}/promises", json=terms, headers=OURS)
    promise_id: str = reply.raise_for_status().json()["id"]
    return promise_id


def page_of(browser: FakeBrowser, path: str) -> str:
    reply = browser.get(path)
    assert reply.status_code == 200, reply.text
    return reply.text


def test_promises_are_listed_with_what_is_next(signed_in: FakeBrowser, job: Job) -> None:
    path = f"/jobs/{job.id}/review/promises"
    assert "Nothing is promised yet" in page_of(signed_in, path)
    stop = opened(signed_in, job, kind="stop")
    band = opened(signed_in, job, kind="band", action="exclude")

    html = page_of(signed_in, path)

    assert html.index(f"/promises/{band}") < html.index(f"/promises/{stop}")
    assert "Accept in bulk: exclude wrong labels" in html
    assert "Stop the review" in html
    assert "Nothing may be accepted." in html


def test_a_long_list_goes_on(signed_in: FakeBrowser, job: Job) -> None:
    for _ in range(21):
        opened(signed_in, job, kind="stop")
    path = f"/jobs/{job.id}/review/promises"

    html = page_of(signed_in, path)
    assert html.count("<article") == 20
    cursor = html.split('href="?cursor=')[1].split('"')[0]

    assert page_of(signed_in, f"{path}?cursor={cursor}").count("<article") == 1


def test_one_shows_no_suggestion(signed_in: FakeBrowser, job: Job) -> None:
    html = page_of(signed_in, f"/promises/{opened(signed_in, job, kind='band', action='relabel')}")

    assert "Label is right" in html
    assert "relative to the eye" in html
    assert "Accept suggestion" not in html


def test_whoever_may_only_look_gets_no_button(
    signed_in: FakeBrowser, browser: FakeBrowser, job: Job, tenant: Tenant
) -> None:
    promise = opened(signed_in, job, kind="stop")
    browser.sign_in(tenant.id, [Scope.READ])

    assert "Open this promise" not in page_of(browser, f"/jobs/{job.id}/review/promises")
    html = page_of(browser, f"/promises/{promise}")
    assert "Label is right" not in html
    assert "Your key may look but not decide." in html
