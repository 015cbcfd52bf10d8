"""Rows for tests: each maker fills in all that the test does not care about."""

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.core.clock import database_seconds, utc_now
from app.core.db import Database
from app.models import (
    Dataset,
    DatasetState,
    Job,
    JobKind,
    JobState,
    Queue,
    Tenant,
    Webhook,
    WebhookDelivery,
)


def make_tenant(session: Session, name: str = "default") -> Tenant:
    tenant = Tenant(name=name)
    session.add(tenant)
    session.flush()
    return tenant


def make_dataset(session: Session, tenant_id: UUID, **values: Any) -> Dataset:
    defaults: dict[str, Any] = {
        "name": "pets",
        "state": DatasetState.READY,
        "upload_name": "pets.zip",
        "upload_sha256": "0" * 64,
        "upload_bytes": 1,
        "classes": ["cat", "dog"],
        "image_size": 8,
    }
    dataset = Dataset(tenant_id=tenant_id, **defaults | values)
    session.add(dataset)
    session.flush()
    return dataset


def make_job(session: Session, dataset: Dataset, **values: Any) -> Job:
    defaults: dict[str, Any] = {
        "kind": JobKind.AUDIT,
        "queue": Queue.GPU,
        "state": JobState.QUEUED,
        "options": {"method": "m-dyr-h", "epochs": 1, "seed": 0},
        "queued_at": utc_now(),
    }
    job = Job(tenant_id=dataset.tenant_id, dataset_id=dataset.id, **defaults | values)
    session.add(job)
    session.flush()
    return job


def add_late_message(database: Database, tenant_id: UUID, *, seconds: float) -> None:
    """Have a message to a receiver that was to be sent so long ago."""
    with database.unit_of_work() as session:
        webhook = Webhook(tenant_id=tenant_id, url="https://example.org/")
        session.add(webhook)
        session.flush()
        session.add(
            WebhookDelivery(
                tenant_id=tenant_id,
                webhook_id=webhook.id,
                payload={},
                next_at=database_seconds() - seconds,
            )
        )
