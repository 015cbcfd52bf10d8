"""Rows of a finished audit, for tests that read them."""

import hashlib
import struct
from typing import Any

from sqlalchemy.orm import Session

from app.findings.publish_repository import PublishRepository
from app.models import (
    Artifact,
    Base,
    Dataset,
    Finding,
    Job,
    JobState,
    LossRank,
    PosteriorRank,
    RejectedFile,
    ResultVersion,
    Sample,
    SampleRank,
    Split,
    minus_posterior,
)
from app.models.likely import SCALE

_NAMES = {
    "safetensors": "model.safetensors",
    "evidence": "evidence.npy",
    "class_losses": "class-losses.npy",
}


def sha256_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def make_samples(session: Session, dataset: Dataset, num_samples: int) -> list[Sample]:
    """Labels alternate; each content is different."""
    samples = [make_sample(session, dataset, position) for position in range(num_samples)]
    dataset.num_samples = num_samples
    session.flush()
    return samples


def make_sample(session: Session, dataset: Dataset, position: int, **values: Any) -> Sample:
    label = position % len(dataset.classes)
    defaults: dict[str, Any] = {
        "path": f"{dataset.classes[label]}/{position:04d}.png",
        "split": Split.TRAIN,
        "given_label": label,
        "sha256": sha256_of(f"{dataset.id}-{position}"),
        "thumb_sha256": None,
        "media_type": "image/png",
        "width": 8,
        "height": 8,
        "decision": None,
    }
    sample = Sample(
        tenant_id=dataset.tenant_id,
        dataset_id=dataset.id,
        position=position,
        **defaults | values,
    )
    session.add(sample)
    session.flush()
    return sample


def make_rejected(session: Session, dataset: Dataset, num_files: int) -> None:
    session.add_all(
        RejectedFile(
            tenant_id=dataset.tenant_id,
            dataset_id=dataset.id,
            path=f"cat/{number}.txt",
            code="not_an_image",
            detail="This is no image.",
        )
        for number in range(num_files)
    )
    session.flush()


def with_ranks(*findings: Finding) -> list[Base]:
    """Return findings and the rows by which they are found."""
    rows: list[Base] = [*findings]
    for finding in findings:
        key = {"version_id": finding.version_id, "rank": finding.rank}
        rows += [
            SampleRank(**key, sample_id=finding.sample_id),
            LossRank(**key, loss=finding.loss),
            PosteriorRank(**key, minus_posterior=minus_posterior(finding.posterior)),
        ]
    return rows


def publish_findings(
    session: Session, job: Job, samples: list[Sample], *, flagged: bool = True
) -> ResultVersion:
    """Judge the first sample worst; flag each second one or none; leave the last one unjudged."""
    version = ResultVersion(tenant_id=job.tenant_id, job_id=job.id, attempt=1)
    session.add(version)
    session.flush()
    for place, sample in enumerate(samples):
        is_last = place == len(samples) - 1
        session.add_all(
            with_ranks(
                Finding(
                    version_id=version.id,
                    sample_id=sample.id,
                    rank=place + 1,
                    given_label=sample.given_label,
                    suggested_label=1 - sample.given_label,
                    suggested_confidence=0.75,
                    p_mislabeled=None if is_last else 1.0 - place / len(samples),
                    flagged=flagged and place % 2 == 0,
                    # Some losses are equal, so that the order needs its tie-breaker.
                    loss=float(place // 3),
                    verdict=("mislabeled", "mislabeled", "mislabeled", "hard")[place % 4],
                    # Against the ranks, and equal for each two.
                    posterior=None if is_last else place // 2 / len(samples),
                    signals={} if is_last else {"posterior": place // 2 / len(samples)},
                    # The given label: 20 %.
                    likely=struct.pack("<HH", sample.given_label, round(0.2 * SCALE)),
                )
            )
        )
    results = PublishRepository(session, job.tenant_id, job.id)
    results.supersede()
    job.state, job.result_version = JobState.SUCCEEDED, version.id
    session.flush()
    results.drop_unpublished()
    return version


def make_artifact(session: Session, job: Job, kind: str, content: bytes) -> Artifact:
    is_model = kind == "safetensors"
    artifact = Artifact(
        tenant_id=job.tenant_id,
        version_id=job.result_version,
        job_id=job.id,
        kind=kind,
        name=_NAMES.get(kind, f"{kind}.json"),
        sha256=hashlib.sha256(content).hexdigest(),
        num_bytes=len(content),
        media_type="application/octet-stream" if is_model else "application/json",
    )
    session.add(artifact)
    session.flush()
    return artifact
