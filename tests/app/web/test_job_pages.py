"""The pages of a job, without a browser; what they look like is tested in tests/browser."""

import json
import re
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.accounts.schemas import Scope
from app.core.storage import BlobStore
from app.datasets.intake_repository import IntakeRepository
from app.http.context import AppContext
from app.models import Dataset, DatasetState, Job, JobKind, JobState, Sample, Tenant
from tests.app.web.conftest import FakeBrowser
from tests.support.factories import make_artifact, make_samples, publish_findings
from tests.support.reports import REPORT
from tests.support.rows import make_dataset, make_job, make_tenant


def _audited(
    context: AppContext,
    tenant_id: UUID,
    report: dict[str, Any] = REPORT,
    *,
    flagged: bool = True,
) -> Job:
    content = json.dumps(report).encode()
    with context.database.unit_of_work() as session:
        dataset = make_dataset(session, tenant_id)
        job = make_job(session, dataset)
        publish_findings(session, job, make_samples(session, dataset, 8), flagged=flagged)
        make_artifact(session, job, "report", content)
        make_artifact(session, job, "safetensors", b"model")
    BlobStore(context.folder.blobs(tenant_id)).put(content)
    return job


def _text(html: str) -> str:
    """Return what a page says, without its tags."""
    main = html[html.index("<main") : html.index("</main>")]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", main))


@pytest.fixture
def job(context: AppContext, tenant: Tenant) -> Job:
    return _audited(context, tenant.id)


def test_page_runs_nothing_but_packaged_files(signed_in: FakeBrowser, job: Job) -> None:
    for path in (f"/jobs/{job.id}", f"/jobs/{job.id}/report"):
        reply = signed_in.get(path)
        assert reply.status_code == 200
        assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", reply.text)


def test_figures_are_sentences(signed_in: FakeBrowser, job: Job) -> None:
    for path in (f"/jobs/{job.id}", f"/jobs/{job.id}/report"):
        text = _text(signed_in.get(path).text)
        assert "Between 1.0 % and 3.0 % of the judged labels are wrong" in text
        assert "The best single guess is 2.0 %." in text
        assert "4 of 7 judged labels are worth a look: between 5.1 % and 95 % of them" in text
        assert "They hold at least 26 % of all wrong labels." in text
        assert "2 are surely wrong" in text
        assert "1 label could not be judged" in text
        assert "Something &lt;odd&gt;." in text


def test_report_of_an_earlier_version_has_no_ranges_of_quality(
    signed_in: FakeBrowser, context: AppContext, tenant: Tenant
) -> None:
    younger = ("expected_precision_interval", "expected_recall_interval", "num_sure", "fallbacks")
    earlier = {name: value for name, value in REPORT.items() if name not in younger}
    job = _audited(context, tenant.id, earlier)
    for path in (f"/jobs/{job.id}", f"/jobs/{job.id}/report"):
        text = _text(signed_in.get(path).text)
        assert "4 of 7 judged labels are worth a look: about 80 % of them are wrong." in text
        assert "They hold about 50 % of all wrong labels." in text
        assert "surely wrong:" not in text


def test_a_network_that_learned_too_little_calls_nothing_fine(
    signed_in: FakeBrowser, context: AppContext, tenant: Tenant
) -> None:
    nothing: dict[str, Any] = {
        "fallbacks": ["uninformative_predictions"], "noise_rate_interval": [0.0, 1.0],
        "num_flagged": 0, "num_sure": 0, "class_pairs": [], "expected_precision": None,
        "expected_recall": None,
    }  # fmt: skip
    job = _audited(context, tenant.id, REPORT | nothing, flagged=False)
    for path in (f"/jobs/{job.id}", f"/jobs/{job.id}/report"):
        text = _text(signed_in.get(path).text)
        assert "The network learned too little to judge the labels" in text
        assert "That it flags none does not make them right" in text
        for untrue in ("worth a look", "best single guess", "25 %", "0 %"):
            assert untrue not in text.replace("\xa0", " "), untrue


@pytest.mark.parametrize(
    ("is_structured", "unevenness", "words"),
    [
        (True, 0.87, "gather in certain pairs of classes (unevenness 87"),
        (False, 0.1, "spread about evenly over the pairs of classes (unevenness 10"),
        (None, None, "too few suspects, or classes, to tell"),
    ],
)
def test_where_wrong_labels_come_from_is_a_sentence(
    signed_in: FakeBrowser,
    context: AppContext,
    tenant: Tenant,
    is_structured: bool | None,  # noqa: FBT001 - a case
    unevenness: float | None,
    words: str,
) -> None:
    structure = {"is_structured": is_structured, "unevenness": unevenness}
    kinds = {"verdicts": {"hard": 12, "clean": 3, "off_topic": 0}, "noise_structure": structure}
    job = _audited(context, tenant.id, REPORT | kinds)
    html = signed_in.get(f"/jobs/{job.id}").text
    assert words in _text(html)
    assert f'href="/jobs/{job.id}/review?verdict=hard"' in html
    assert "12 hard to learn." in _text(html)


def test_results_tell_how_far_their_review_is(
    signed_in: FakeBrowser, context: AppContext, job: Job
) -> None:
    paths = (f"/jobs/{job.id}", f"/jobs/{job.id}/report")
    for path in paths:
        assert "0 of 4 decided" in _text(signed_in.get(path).text)
    with context.database.unit_of_work() as session:
        first = session.query(Sample).filter_by(dataset_id=job.dataset_id, position=0).one()
        first.decision = "relabel"
    for path in paths:
        assert "1 of 4 decided" in _text(signed_in.get(path).text)


def test_files_that_are_there_can_be_downloaded(signed_in: FakeBrowser, job: Job) -> None:
    html = signed_in.get(f"/jobs/{job.id}").text
    assert f'href="/v1/jobs/{job.id}/model?format=safetensors"' in html
    assert "onnx" not in html


def test_nothing_found_leaves_out_what_depends_on_it(
    signed_in: FakeBrowser, context: AppContext, tenant: Tenant
) -> None:
    nothing: dict[str, Any] = {
        "num_flagged": 0, "num_sure": 0, "expected_precision": None, "expected_recall": 0.0,
        "expected_precision_interval": [0.0, 1.0], "expected_recall_interval": [0.0, 1.0],
        "class_pairs": [],
        "loss_histogram": None, "warnings": [],
    }  # fmt: skip
    job = _audited(context, tenant.id, REPORT | nothing)
    for path in (f"/jobs/{job.id}", f"/jobs/{job.id}/report"):
        text = _text(signed_in.get(path).text)
        assert "None of 7 judged labels is worth a look." in text
        for absent in ("of them are wrong", "They hold", "taken for which", "loss"):
            assert absent not in text, absent


def test_labels_that_could_not_be_judged_are_not_called_right(
    signed_in: FakeBrowser, context: AppContext, tenant: Tenant
) -> None:
    unjudged = REPORT | {
        "num_flagged": 0, "num_not_judged": 8, "noise_rate": 0.0, "noise_rate_interval": [0.0, 1.0],
        "expected_precision": None, "expected_recall": None, "class_pairs": [],
        "noise_structure": {"is_structured": None, "unevenness": None},
    }  # fmt: skip
    job = _audited(context, tenant.id, unjudged)
    for path in (f"/jobs/{job.id}", f"/jobs/{job.id}/report"):
        text = _text(signed_in.get(path).text)
        assert "No label could be judged" in text
        assert "each class has too few samples, at most 4" in text
        assert "Add samples to the classes, then audit the data set again." in text
        for untrue in (
            "None of",
            "are wrong",
            "worth a look",
            "between 0 %",
            "too few suspects",
        ):
            assert untrue not in text.replace("\xa0", " "), untrue


def test_running_job_is_looked_at_again_and_shows_its_losses(
    signed_in: FakeBrowser, context: AppContext, tenant: Tenant
) -> None:
    with context.database.unit_of_work() as session:
        job = make_job(
            session, make_dataset(session, tenant.id), state=JobState.RUNNING, stage="train",
            epoch=2, epochs=9, images_per_second=1234.5, eta_seconds=3600.0,
            metrics={"noise_rate": 0.1, "loss_histogram": REPORT["loss_histogram"]},
        )  # fmt: skip
    partial = {"HX-Request": "true", "HX-Request-Type": "partial"}
    reply = signed_in.get(f"/jobs/{job.id}", headers=partial)
    assert "<html" not in reply.text
    assert f'hx-get="/jobs/{job.id}"' in reply.text
    for words in ("2 of 9", "1,234 images/s", "about 1 hour", "10\xa0%", "<loss-chart"):
        assert words in reply.text, words


def test_time_left_is_open_until_it_is_known(
    signed_in: FakeBrowser, context: AppContext, tenant: Tenant
) -> None:
    with context.database.unit_of_work() as session:
        job = make_job(
            session, make_dataset(session, tenant.id), state=JobState.RUNNING, stage="train",
            epoch=1, epochs=9,
        )  # fmt: skip
    assert "Time left\N{EN DASH}" in _text(signed_in.get(f"/jobs/{job.id}").text)
    for path in (f"/jobs/{job.id}", "/datasets"):
        text = _text(signed_in.get(path).text)
        assert "None" not in text
        assert "left," not in text
    progress = signed_in.get(f"/v1/jobs/{job.id}").json()["progress"]
    assert (progress["eta_seconds"], progress["images_per_second"]) == (None, None)


def test_failure_is_told_and_can_be_tried_again(
    signed_in: FakeBrowser, context: AppContext, tenant: Tenant
) -> None:
    with context.database.unit_of_work() as session:
        job = make_job(
            session, make_dataset(session, tenant.id), state=JobState.FAILED,
            error_code="no_space", error_detail="The data volume is full <now>.",
        )  # fmt: skip
    html = signed_in.get(f"/jobs/{job.id}").text
    assert "The data volume is full &lt;now&gt;." in html
    assert f'data-job-action="/v1/jobs/{job.id}/retry"' in html
    assert "hx-get" not in html
    assert signed_in.get(f"/jobs/{job.id}/report").status_code == 409


def test_failure_of_an_upload_lists_the_files_that_could_not_be_used(
    signed_in: FakeBrowser, context: AppContext, tenant: Tenant
) -> None:
    with context.database.unit_of_work() as session:
        dataset = make_dataset(session, tenant.id, state=DatasetState.FAILED, num_rejected=1)
        row = {"path": "x.png", "code": "missing_file", "detail": "Row 2 names no file."}
        IntakeRepository(session, tenant.id, dataset.id).add_rejected([row])
        job = make_job(
            session, dataset, kind=JobKind.INGEST, state=JobState.FAILED,
            error_code="no_samples", error_detail="No image.",
        )  # fmt: skip
    text = _text(signed_in.get(f"/jobs/{job.id}").text)
    assert "Files that could not be used" in text
    assert "x.png Row 2 names no file." in text


def test_buttons_are_for_those_who_may(
    browser: FakeBrowser, context: AppContext, tenant: Tenant
) -> None:
    browser.sign_in(tenant.id, [Scope.READ])
    with context.database.unit_of_work() as session:
        dataset = make_dataset(session, tenant.id)
        waiting = make_job(session, dataset)
        stored = make_job(session, dataset, kind=JobKind.INGEST, state=JobState.SUCCEEDED)
    for job in (waiting, stored):
        html = browser.get(f"/jobs/{job.id}").text
        assert "data-job-action" not in html
        assert "data-audits" not in html
    assert "upload.js" not in browser.get("/datasets").text


def test_jobs_that_judge_nothing_lead_to_their_audit_and_files(
    signed_in: FakeBrowser, context: AppContext, job: Job
) -> None:
    with context.database.unit_of_work() as session:
        dataset = session.get_one(Dataset, job.dataset_id)
        other = make_job(
            session, dataset, kind=JobKind.RECALIBRATE, options={"job_id": str(job.id)}
        )
        publish_findings(session, other, [])
        make_artifact(session, other, "report", b'{"of": "another shape"}')
    reply = signed_in.get(f"/jobs/{other.id}")
    assert reply.status_code == 200
    assert f'href="/jobs/{job.id}"' in reply.text
    assert f'href="/v1/jobs/{other.id}/report"' in reply.text
    assert "data-export" not in reply.text


def test_jobs_of_others_are_not_there(signed_in: FakeBrowser, context: AppContext) -> None:
    with context.database.unit_of_work() as session:
        theirs = make_tenant(session, "theirs").id
    job = _audited(context, theirs)
    for job_id in (job.id, uuid4(), "x"):
        for path in (f"/jobs/{job_id}", f"/jobs/{job_id}/report"):
            assert signed_in.get(path).status_code == 404
