"""A tenant that has something of everything, for tests that look from the other side."""

import json
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from app.accounts.repository import IdempotencyRepository
from app.accounts.schemas import Scope
from app.accounts.service import AccountService
from app.core.clock import utc_now
from app.core.ids import format_sample_id
from app.jobs.lease_repository import AttemptRepository
from app.jobs.repository import JobRepository
from app.models import (
    AttemptOutcome,
    BandAction,
    Blob,
    DecisionEntry,
    DecisionStep,
    EndedAttempts,
    FirstLook,
    Job,
    JobKind,
    JobState,
    Promise,
    PromiseCheck,
    PromiseKind,
    PromiseSample,
    PromiseState,
    Queue,
    ReviewClaim,
    Sample,
    SecondOpinion,
    StepKind,
    Upload,
    Webhook,
    WebhookDelivery,
    WebSession,
)
from app.promises.terms import BandTerms
from tests.support.factories import make_artifact, make_rejected, make_samples, publish_findings
from tests.support.reports import REPORT
from tests.support.rows import make_dataset, make_job, make_tenant

REPORT_FILE = json.dumps(REPORT).encode()
"""Of the finished audit; only its row is made here, for whoever has a store to put the file in."""


@dataclass(frozen=True)
class Ids:
    """What a caller would need to know to get at it all."""

    tenant_id: UUID
    dataset_id: str
    sample_id: str
    job_id: str
    """Of a finished audit."""
    failed_job_id: str
    waiting_job_id: str
    promise_id: str
    export_id: str
    upload_id: str
    webhook_id: str
    key_id: str


_NO_ID = "00000000-0000-4000-8000-000000000000"
UNKNOWN = Ids(
    tenant_id=UUID(_NO_ID), dataset_id=_NO_ID, sample_id=format_sample_id(2**60), job_id=_NO_ID,
    failed_job_id=_NO_ID, waiting_job_id=_NO_ID, promise_id=_NO_ID, export_id=_NO_ID,
    upload_id=_NO_ID, webhook_id=_NO_ID, key_id="00000000",
)  # fmt: skip
"""What nobody has."""
_NEVER = utc_now().replace(year=2999)


def fill_every_table(session: Session, name: str, pepper: bytes = b"pepper") -> Ids:
    """Make a tenant with at least one row in every table; what is behind it is not there."""
    tenant = make_tenant(session, name)
    dataset = make_dataset(session, tenant.id)
    samples = make_samples(session, dataset, 4)
    make_rejected(session, dataset, 1)
    job = make_job(session, dataset, state=JobState.SUCCEEDED, attempt=1, owner="x")
    publish_findings(session, job, samples)
    make_artifact(session, job, "report", REPORT_FILE)
    AttemptRepository(session).start(job)
    JobRepository(session, tenant.id).add(job)
    IdempotencyRepository(session, tenant.id).reserve("a key", "0" * 64)
    row, _key = AccountService(session, pepper).create_key(
        tenant.id, name="theirs", scopes=[Scope.READ]
    )
    session.add(
        WebSession(
            tenant_id=tenant.id, key_id=row.key_id, token_hash=row.key_hash, expires_at=_NEVER
        )
    )
    busy = make_dataset(session, tenant.id)
    ids = Ids(
        tenant_id=tenant.id,
        dataset_id=str(dataset.id),
        sample_id=format_sample_id(samples[0].id),
        job_id=str(job.id),
        failed_job_id=str(make_job(session, dataset, state=JobState.FAILED).id),
        waiting_job_id=str(make_job(session, busy).id),
        promise_id=str(_make_promise(session, job, samples)),
        export_id=str(
            make_job(
                session, dataset, kind=JobKind.EXPORT, queue=Queue.CPU, state=JobState.SUCCEEDED,
                options={"format": "csv"},
            ).id
        ),
        upload_id=str(_make_upload(session, tenant.id)),
        webhook_id=str(_make_webhook(session, tenant.id)),
        key_id=row.key_id,
    )  # fmt: skip
    session.add(Blob(tenant_id=tenant.id, sha256=samples[0].sha256, num_bytes=1))
    _decide(session, tenant.id, dataset.id, samples[0].id)
    owned = {"tenant_id": tenant.id, "job_id": job.id, "sample_id": samples[0].id}
    session.add(FirstLook(**owned, position=0, by_chance=True))
    session.add(SecondOpinion(**owned))
    session.add(
        EndedAttempts(
            tenant_id=tenant.id, outcome=AttemptOutcome.LOST, stage="train", num_attempts=1,
            milliseconds=5,
        )
    )  # fmt: skip
    session.add(
        ReviewClaim(
            **owned, dataset_id=dataset.id, reviewer="theirs", blind=False, second=False,
            expires_at=_NEVER,
        )
    )  # fmt: skip
    return ids


def _make_promise(session: Session, job: Job, samples: list[Sample]) -> UUID:
    """Open one on a band of two samples."""
    terms = BandTerms(
        action=BandAction.RELABEL, alpha=0.1, delta=0.1, num_checks=22, shares=[0.5], sizes=[2]
    )
    promise = Promise(
        tenant_id=job.tenant_id, job_id=job.id, dataset_id=job.dataset_id, kind=PromiseKind.BAND,
        state=PromiseState.OPEN, version_id=job.result_version, opened_after=0,
        num_samples=len(samples), seed=1, terms=terms.model_dump(mode="json"),
    )  # fmt: skip
    session.add(promise)
    session.flush()
    for place, sample in enumerate(samples[:2]):
        row = {"promise_id": promise.id, "sample_id": sample.id, "suggested_label": 0}
        session.add(PromiseSample(**row, place=place + 1))
        session.add(PromiseCheck(**row, band=0, position=place))
    return promise.id


def _make_upload(session: Session, tenant_id: UUID) -> UUID:
    upload = Upload(tenant_id=tenant_id, num_bytes=9, offset=0, details={}, expires_at=_NEVER)
    session.add(upload)
    session.flush()
    return upload.id


def _make_webhook(session: Session, tenant_id: UUID) -> UUID:
    webhook = Webhook(tenant_id=tenant_id, url="https://example.org/")
    session.add(webhook)
    session.flush()
    session.add(WebhookDelivery(tenant_id=tenant_id, webhook_id=webhook.id, payload={}))
    session.flush()
    return webhook.id


def _decide(session: Session, tenant_id: UUID, dataset_id: UUID, sample_id: int) -> None:
    step = DecisionStep(tenant_id=tenant_id, dataset_id=dataset_id, kind=StepKind.DECIDE)
    session.add(step)
    session.flush()
    session.add(
        DecisionEntry(dataset_id=dataset_id, step_id=step.id, sample_id=sample_id, version=2)
    )
    session.flush()
