"""What pages and bulk decisions make of one picture with two labels."""

import json
import re

import pytest
from sqlalchemy import select, update

from app.core.storage import BlobStore
from app.http.context import AppContext
from app.models import DuplicateKind, Finding, Job, Sample, Split, Tenant
from tests.app.web.conftest import FakeBrowser
from tests.support.factories import make_artifact, make_sample, make_samples, publish_findings
from tests.support.reports import REPORT
from tests.support.rows import make_dataset, make_job

HEADERS = {"X-Label-Audit": "1"}


@pytest.fixture
def job(context: AppContext, tenant: Tenant) -> Job:
    """An audit whose first two samples, and one of the test split, have the same file."""
    with context.database.unit_of_work() as session:
        dataset = make_dataset(session, tenant.id)
        samples = make_samples(session, dataset, 6)
        other = make_sample(session, dataset, 7, split=Split.TEST, path="test/dog/again.png")
        for sample in (*samples[:2], other):
            sample.sha256, sample.duplicate_group, sample.picture = samples[0].sha256, 0, 0
            sample.duplicate_kind, sample.conflicting = DuplicateKind.EXACT, True
        job = make_job(session, dataset)
        version = publish_findings(session, job, samples)
        torn = [sample.id for sample in samples[:2]]
        session.execute(
            update(Finding)
            .where(Finding.version_id == version.id, Finding.sample_id.in_(torn))
            .values(verdict="conflict", flagged=True)
        )
        return job


def listed(browser: FakeBrowser, job: Job, **params: str) -> list[dict[str, object]]:
    items = browser.get(f"/v1/jobs/{job.id}/samples", params=params).json()["items"]
    assert isinstance(items, list)
    return items


def tile_of(html: str, sample_id: object) -> str:
    found = re.search(rf'id="tile-{sample_id}".*?(?=id="tile-|</section>)', html, re.DOTALL)
    assert found is not None
    return found[0]


def test_are_found_by_their_verdict_and_come_first(signed_in: FakeBrowser, job: Job) -> None:
    found = listed(signed_in, job, verdict="conflict")
    assert [item["rank"] for item in found] == [1, 2]
    assert {item["given_label"] for item in found} == {"cat", "dog"}


def test_the_queue_shows_both_labels_of_the_picture(signed_in: FakeBrowser, job: Job) -> None:
    first, second = listed(signed_in, job, verdict="conflict")
    html = signed_in.get(f"/jobs/{job.id}/review").text
    for item, other in ((first, "dog"), (second, "cat")):
        tile = tile_of(html, item["sample_id"])
        assert "Certain conflict" in tile
        assert f"Same picture:</span> <bdi>{other}</bdi>" in tile
    assert html.count("Same picture:") == 2
    assert '<option value="conflict"' in html


@pytest.mark.parametrize("blind", [False, True])
def test_a_share_shows_them_too_unless_it_is_blind(
    signed_in: FakeBrowser, job: Job, *, blind: bool
) -> None:
    url = f"/v1/jobs/{job.id}/claims"
    assert signed_in.post(url, json={"blind": blind}, headers=HEADERS).status_code in {200, 201}
    html = signed_in.get(f"/jobs/{job.id}/review/share").text
    assert html.count("Same picture:") == (0 if blind else 2)
    assert html.count('data-torn="yes"') == (0 if blind else 2)


def test_the_page_of_a_sample_shows_and_links_what_is_the_same(
    signed_in: FakeBrowser, job: Job
) -> None:
    first, second = listed(signed_in, job, verdict="conflict")
    html = signed_in.get(f"/jobs/{job.id}/samples/{first['sample_id']}").text
    card = html.partition("The same picture again")[2].partition("</section>")[0]
    assert f'href="/jobs/{job.id}/samples/{second["sample_id"]}' in card
    assert card.count("<img") == 2
    # No audit judges the test split: it is shown, but has no page.
    assert "test/dog/again.png" in card
    assert card.count("<a ") == 1


def test_their_suggestions_are_never_accepted_by_a_filter(
    signed_in: FakeBrowser, context: AppContext, job: Job
) -> None:
    accept = {"decision": "relabel", "accept_suggestion": True, "job_id": str(job.id)}
    url = f"/v1/datasets/{job.dataset_id}/decisions"
    for body, count in (
        (accept | {"filter": {}}, 4),
        (accept | {"filter": {"verdict": "conflict"}}, 0),
        ({"decision": "unsure", "job_id": str(job.id), "filter": {}}, 6),
    ):
        reply = signed_in.post(url, json=body | {"dry_run": True}, headers=HEADERS)
        assert reply.json()["count"] == count, body
    # Who names a sample has looked at it.
    first = listed(signed_in, job, verdict="conflict")[0]
    named = [{"sample_id": first["sample_id"], "version": first["version"]}]
    assert (
        signed_in.post(url, json=accept | {"samples": named}, headers=HEADERS).json()["count"] == 1
    )
    with context.database.read() as session:
        decided = session.scalars(select(Sample.decided_label).where(Sample.position == 0)).one()
    assert decided == 1


@pytest.mark.parametrize(
    ("changes", "headline"),
    [
        ({}, "of the judged labels are wrong"),
        ({"num_not_judged": 8}, "No label could be judged"),
        ({"fallbacks": ["uninformative_predictions"]}, "The network learned too little"),
    ],
)
def test_results_tell_of_them_whatever_the_network_learned(
    signed_in: FakeBrowser,
    context: AppContext,
    job: Job,
    changes: dict[str, object],
    headline: str,
) -> None:
    report = REPORT | {"verdicts": {"conflict": 2}} | changes
    content = json.dumps(report).encode()
    with context.database.unit_of_work() as session:
        current = session.get_one(Job, job.id)
        make_artifact(session, current, "report", content)
    BlobStore(context.folder.blobs(job.tenant_id)).put(content)
    html = signed_in.get(f"/jobs/{job.id}").text
    text = " ".join(re.sub(r"<[^>]+>", " ", html).split())
    assert headline in text
    assert "2 images are certain conflicts: the same picture has several labels" in text
    assert f'href="/jobs/{job.id}/review?verdict=conflict"' in html
    if not changes:
        assert "of those that the network flags are wrong" in text
