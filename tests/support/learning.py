"""An audited set whose truth is known, reviewed by people who know it."""

import json
import random
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from celery import Celery
from sqlalchemy import select

from app.accounts.quotas import Quotas
from app.accounts.schemas import Principal, Scope
from app.core.db import Database
from app.core.ids import format_sample_id
from app.core.queue import WakeUps
from app.core.settings import Settings
from app.core.storage import BlobStore, DataFolder
from app.models import Finding, Job, JobState, ResultVersion, Sample
from app.reviews.schemas import DecisionWrite
from app.reviews.service import ReviewService
from tests.support.factories import make_artifact, make_samples, with_ranks
from tests.support.rows import make_dataset, make_job, make_tenant

CLASSES = ["cat", "dog"]
REPORT: dict[str, Any] = {
    "noise_rate": 0.5, "noise_rate_interval": [0.4, 0.6],
    "expected_precision": 0.75, "expected_precision_interval": [0.7, 0.8],
    "expected_recall": 0.75, "expected_recall_interval": [0.7, 1.0],
    "num_flagged": 150, "num_sure": 30, "class_pairs": [], "fallbacks": [], "epochs": [],
    "noise_structure": {"is_structured": None, "unevenness": None},
    "warnings": [],
}  # fmt: skip
"""Of an audit that is too sure."""


@dataclass(frozen=True)
class Audited:
    """What a test needs to know; samples by rank."""

    tenant_id: UUID
    dataset_id: UUID
    job_id: UUID
    sample_ids: list[int]
    wrong: list[bool]


def make_audited(
    database: Database, settings: Settings, *, num: int = 300, report: dict[str, Any] = REPORT
) -> Audited:
    """Publish an audit that is too sure: a third of what it gives 0.9 is right."""
    chance = random.Random(0)  # noqa: S311 - a test
    with database.unit_of_work() as session:
        dataset = make_dataset(session, make_tenant(session).id, classes=CLASSES)
        job = make_job(session, dataset)
        samples = make_samples(session, dataset, num)
        version = ResultVersion(tenant_id=job.tenant_id, job_id=job.id, attempt=1)
        session.add(version)
        session.flush()
        wrong = []
        for place, sample in enumerate(samples):
            p = 1.0 - (place + 0.5) / num
            wrong.append(chance.random() < p**3)
            session.add_all(with_ranks(_finding(version, sample, place, p)))
        job.state, job.result_version, job.attempt = JobState.SUCCEEDED, version.id, 1
        blobs = BlobStore(DataFolder(settings).blobs(job.tenant_id))
        for kind, content in (("report", json.dumps(report).encode()), ("card", b"{}")):
            blobs.put(content)
            make_artifact(session, job, kind, content)
        return Audited(job.tenant_id, dataset.id, job.id, [sample.id for sample in samples], wrong)


def _finding(version: ResultVersion, sample: Sample, place: int, p: float) -> Finding:
    return Finding(
        version_id=version.id, sample_id=sample.id, rank=place + 1,
        given_label=sample.given_label, suggested_label=1 - sample.given_label,
        suggested_confidence=p, p_mislabeled=p, flagged=p > 0.5, loss=p,
        verdict="mislabeled" if p > 0.5 else "clean", posterior=p,
        signals={"posterior": p},
    )  # fmt: skip


def review(
    database: Database, audited: Audited, places: list[int], *, recalibrate_every: int = 0
) -> None:
    """Decide as the truth is."""
    reviewer = Principal(audited.tenant_id, frozenset(Scope), key_id=None)
    for place in places:
        with database.unit_of_work() as session:
            wake_ups = WakeUps(Celery(broker="memory://"))
            quotas = Quotas(session, audited.tenant_id, Settings())
            reviews = ReviewService(
                session, reviewer, wake_ups, recalibrate_every=recalibrate_every, quotas=quotas
            )
            sample = session.get_one(Sample, audited.sample_ids[place])
            other = CLASSES[1 - sample.given_label]
            body = {"decision": "relabel", "label": other} if audited.wrong[place] else {}
            wanted = {"decision": "keep", "job_id": str(audited.job_id)} | body
            reviews.decide(
                format_sample_id(sample.id), DecisionWrite.model_validate(wanted), versions=None
            )


def shown(database: Database, audited: Audited) -> list[Finding]:
    """Return the published findings by rank."""
    with database.read() as session:
        job = session.get_one(Job, audited.job_id)
        query = select(Finding).where(Finding.version_id == job.result_version)
        return list(session.scalars(query.order_by(Finding.rank)))
