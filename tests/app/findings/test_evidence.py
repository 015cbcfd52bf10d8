"""What a training saw of one sample, over HTTP."""

from math import nan
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.core.ids import format_sample_id
from app.core.npy import NpyRecords
from app.core.storage import BlobStore
from app.http.context import AppContext
from app.models import Job, Sample, Tenant
from tests.support.evidence import class_losses_file, evidence_file
from tests.support.factories import make_artifact, make_samples, publish_findings
from tests.support.rows import make_dataset, make_job

NUM_SAMPLES = 6


@pytest.fixture
def audit(context: AppContext, tenant: Tenant) -> tuple[Job, list[Sample]]:
    with context.database.unit_of_work() as session:
        dataset = make_dataset(session, tenant.id)
        job = make_job(session, dataset)
        samples = make_samples(session, dataset, NUM_SAMPLES)
        samples[4].sha256 = None
        publish_findings(session, job, samples[:5])
    return job, samples


def _store(context: AppContext, job: Job, files: dict[str, bytes]) -> None:
    blobs = BlobStore(context.folder.blobs(job.tenant_id))
    with context.database.unit_of_work() as session:
        session.add(job)
        for kind, content in files.items():
            make_artifact(session, job, kind, content)
            blobs.put(content)


def _evidence(client: TestClient, job: Job, sample: Sample) -> dict[str, Any]:
    reply = client.get(f"/v1/jobs/{job.id}/samples/{format_sample_id(sample.id)}/evidence")
    assert reply.status_code == 200, reply.text
    evidence: dict[str, Any] = reply.json()
    return evidence


def test_shows_the_losses_of_a_sample_beside_its_class_and_who_is_like_it(
    client: TestClient, context: AppContext, audit: tuple[Job, list[Sample]]
) -> None:
    job, samples = audit
    files = {
        "evidence": evidence_file(
            NUM_SAMPLES,
            {0: [2.5, 3.0], 1: [0.5, 0.25]},
            label={0: 0, 1: 0},  # the second one was relabelled before
            like_given={0: [2, 4]},
            like_suggested={0: [3]},
        ),
        "class_losses": class_losses_file(
            [([1.0, 0.0], [1.5, 0.25], [2.0, 0.5]), ([nan, nan],) * 3]
        ),
    }
    _store(context, job, files)
    of_cats = {"lower": [1.0, 0.0], "median": [1.5, 0.25], "upper": [2.0, 0.5]}
    assert _evidence(client, job, samples[0]) == {
        "sample_id": format_sample_id(samples[0].id),
        "label": "cat",
        "losses": [2.5, 3.0],
        "class_losses": of_cats,
        "like_given": [
            {
                "sample_id": format_sample_id(samples[2].id), "path": "cat/0002.png",
                "given_label": "cat", "similarity": 0.8999, "has_image": True,
            },
            {
                "sample_id": format_sample_id(samples[4].id), "path": "cat/0004.png",
                "given_label": "cat", "similarity": 0.7998, "has_image": False,
            },
        ],
        "like_suggested": [
            {
                "sample_id": format_sample_id(samples[3].id), "path": "dog/0003.png",
                "given_label": "dog", "similarity": 0.8999, "has_image": True,
            }
        ],
    }  # fmt: skip
    second = _evidence(client, job, samples[1])
    assert (second["label"], second["losses"]) == ("cat", [0.5, 0.25])
    assert second["class_losses"] == of_cats
    assert second["like_given"] == second["like_suggested"] == []


def test_scores_have_no_epochs(
    client: TestClient, context: AppContext, audit: tuple[Job, list[Sample]]
) -> None:
    job, samples = audit
    content = evidence_file(NUM_SAMPLES, {}, label={0: 0}, like_given={0: [2]}, like_suggested={})
    _store(context, job, {"evidence": content})
    evidence = _evidence(client, job, samples[0])
    assert (evidence["losses"], evidence["class_losses"]) == (None, None)
    assert [other["path"] for other in evidence["like_given"]] == ["cat/0002.png"]


def test_older_jobs_have_kept_nothing(client: TestClient, audit: tuple[Job, list[Sample]]) -> None:
    job, samples = audit
    assert _evidence(client, job, samples[1]) == {
        "sample_id": format_sample_id(samples[1].id),
        "label": "dog",
        "losses": None,
        "class_losses": None,
        "like_given": [],
        "like_suggested": [],
    }


def test_a_sample_that_was_not_judged_is_unknown(
    client: TestClient, audit: tuple[Job, list[Sample]]
) -> None:
    job, samples = audit
    for sample_id in (format_sample_id(samples[5].id), "s" + "f" * 16, "nonsense"):
        reply = client.get(f"/v1/jobs/{job.id}/samples/{sample_id}/evidence")
        assert (reply.status_code, reply.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"\x93NUMPY\x09\x00", b"{}" * 40])
def test_only_a_file_of_records_is_read(
    context: AppContext, content: bytes, tenant: Tenant
) -> None:
    blobs = BlobStore(context.folder.blobs(tenant.id))
    with pytest.raises(ValueError, match="no file of records"):
        NpyRecords(blobs, blobs.put(content))
