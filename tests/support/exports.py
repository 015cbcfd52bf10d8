"""A reviewed data set of real images, and its exports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
from celery import Celery
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.schemas import Principal, Scope
from app.core.blobs import open_blobs
from app.core.db import Database
from app.core.ids import format_sample_id
from app.core.queue import WakeUps
from app.core.settings import Settings
from app.core.storage import BlobStore, DataFolder
from app.exports.schemas import ExportOptions
from app.models import Dataset, Finding, Job, JobKind, JobState, Queue, Sample, Split
from app.reviews.schemas import DecisionWrite
from app.reviews.service import ReviewService
from tests.support.archives import encode_png
from tests.support.factories import make_sample, publish_findings
from tests.support.rows import make_dataset, make_job, make_tenant
from worker.runtime.claim import Attempt, Lease
from worker.runtime.stage import StageContext
from worker.stages.export.child import FORMATS
from worker.stages.export.host import ExportStage
from worker.stages.export.job import ExportJob

CLASSES = ["=cmd()", "cat", "grün"]
NUM_TRAIN, NUM_TEST = 9, 3
TRAPS = ["00000", "007", "1e5", "2020-01-01", "NA", "None", "True", "nan", "null"]
"""Names that many readers take for numbers, dates or nothing."""


@dataclass(frozen=True)
class Reviewed:
    """What a test needs to know of the data set."""

    tenant_id: UUID
    dataset_id: UUID
    sample_ids: list[str]


def make_reviewed(
    database: Database, settings: Settings, classes: Sequence[str] = CLASSES
) -> Reviewed:
    """Take images in, audit them, and decide: keep, relabel, exclude, unsure on samples 0 to 3.

    There are three training images and one test image of each class. Files of different classes
    have the same names.
    """
    num_train, num_test = 3 * len(classes), len(classes)
    with database.unit_of_work() as session:
        tenant = make_tenant(session, uuid4().hex)
        dataset = make_dataset(session, tenant.id, classes=list(classes), name="pets & =co")
        blobs = open_blobs(settings, tenant.id)
        inbox = BlobStore(blobs.inbox(settings.data_dir / "inbox"))
        samples = [
            _take_in(session, dataset, inbox, i, is_train=i < num_train)
            for i in range(num_train + num_test)
        ]
        blobs.take_in(inbox.root, lambda: None)
        dataset.num_samples = len(samples)
        _audit(session, dataset, samples[:num_train])
        ids = [format_sample_id(sample.id) for sample in samples]
        reviewer = Principal(tenant.id, frozenset(Scope), key_id=None)
        reviews = ReviewService(session, reviewer, WakeUps(Celery(broker="memory://")))
        for sample_id, body in zip(ids, _decisions(relabelled=classes[2]), strict=False):
            reviews.decide(sample_id, DecisionWrite.model_validate(body), versions=None)
    return Reviewed(tenant.id, dataset.id, ids)


def _decisions(*, relabelled: str) -> Sequence[dict[str, str]]:
    return (
        {"decision": "keep"},
        {"decision": "relabel", "label": relabelled, "comment": "=a formula"},
        {"decision": "exclude", "reason": "off_topic"},
        {"decision": "unsure"},
    )


SAID: Mapping[int, dict[str, Any]] = {
    place: {
        "annotations": {"=ann": CLASSES[place % 3], "bob": "bird"},
        "agreement": 0.5,
        "tied": True,
    }
    for place in (1, 4)
}
"""What two annotators said of a sample that was relabelled, and of one as given."""


def _take_in(
    session: Session, dataset: Dataset, blobs: BlobStore, i: int, *, is_train: bool
) -> Sample:
    classes = dataset.classes
    label = i % len(classes)
    pixels = np.full((8, 8, 3), 10 * i % 256, dtype=np.uint8)
    split = Split.TRAIN if is_train else Split.TEST
    return make_sample(
        session, dataset, i, **SAID.get(i, {}), given_label=label, split=split,
        path=f"pets/{split.value}/{classes[label]}/{i // len(classes)}.png",
        sha256=blobs.put(encode_png(pixels)),
    )  # fmt: skip


def _audit(session: Session, dataset: Dataset, samples: list[Sample]) -> None:
    job = make_job(session, dataset)
    version = publish_findings(session, job, samples)
    for finding in session.scalars(select(Finding).where(Finding.version_id == version.id)):
        finding.suggested_label = (finding.given_label + 1) % len(dataset.classes)


def queue_export(database: Database, reviewed: Reviewed, **options: Any) -> Job:
    with database.unit_of_work() as session:
        audit = session.scalars(
            select(Job).where(Job.kind == JobKind.AUDIT, Job.dataset_id == reviewed.dataset_id)
        ).one()
        chosen = ExportOptions.model_validate({"job_id": str(audit.id), **options})
        dataset = session.get_one(Dataset, reviewed.dataset_id)
        return make_job(
            session, dataset, kind=JobKind.EXPORT, queue=Queue.CPU, attempt=1,
            options=chosen.model_dump(mode="json"),
        )  # fmt: skip


def write_export(
    database: Database, settings: Settings, reviewed: Reviewed, **options: Any
) -> Path:
    """Write an export in this process, as the two sides of its job would."""
    job = queue_export(database, reviewed, **options)
    with database.unit_of_work() as session:
        claimed = session.get_one(Job, job.id)
        claimed.state, claimed.owner, claimed.lease_until = JobState.RUNNING, "test", 4e9
        attempt = Attempt.of(claimed)
    files = DataFolder(settings)
    stage = ExportStage(StageContext(attempt, database, files, settings=settings, limits={}))
    folder = files.attempt(job.id, 1, uuid4().hex)
    folder.mkdir(parents=True)
    stage.prepare(folder, Lease(database, settings, attempt.fence))
    export = ExportJob.from_json(stage.spec(folder), lambda _fraction: None)
    kind = FORMATS[export.options.format]
    target = folder / f"{export.stem}{kind.suffix}"
    kind.write(export, target)
    return target
