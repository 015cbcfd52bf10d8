"""Files that are added to a data set: its next version, beside the one that stays as it was."""

import shutil
import threading
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from celery import Celery
from sqlalchemy import select

from app.accounts.schemas import Principal, Scope
from app.core.blobs import open_blobs
from app.core.db import Database
from app.core.ids import format_sample_id
from app.core.pagination import PageRequest
from app.core.queue import WakeUps
from app.core.settings import Settings
from app.core.storage import DataFolder
from app.models import (
    Dataset,
    DatasetState,
    Job,
    JobKind,
    JobState,
    Queue,
    Sample,
    StepKind,
    Tenant,
)
from app.reviews.schemas import DecisionWrite, StepChoice
from app.reviews.service import History, ReviewService
from tests.support.engines import on_sqlite
from tests.support.rows import make_dataset, make_job, make_tenant
from tests.worker.stages.ingest.formats import arrays_of
from tests.worker.stages.ingest.making import encoded, make_zip, pattern, png
from worker.runtime.runner import JobRunner
from worker.runtime.slots import Slots
from worker.stages.choose import choose_stage

FIRST = {f"{c}/{n}.png": png(10 * i + n) for i, c in enumerate(("ant", "dog")) for n in range(3)}
MORE = {
    "cat/1.png": png(50),
    "cat/2.png": png(51),
    "ant/9.png": FIRST["ant/0.png"],
    "test/x.txt": b"no image",
}


class Builder:
    """Takes uploads in, each as its job would."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.database = database
        self.settings = settings
        self.files = DataFolder(settings)
        self.wake_ups = WakeUps(Celery("test", broker="memory://"))
        with database.unit_of_work() as session:
            self.tenant: Tenant = make_tenant(session)

    @property
    def reviewer(self) -> Principal:
        return Principal(self.tenant.id, frozenset(Scope), key_id=None)

    def queue(self, files: Mapping[str, bytes], **values: Any) -> UUID:
        with self.database.unit_of_work() as session:
            dataset = make_dataset(
                session, self.tenant.id, state=DatasetState.PENDING, classes=[], image_size=None,
                **values,
            )  # fmt: skip
            make_job(session, dataset, kind=JobKind.INGEST, queue=Queue.CPU, options={})
        upload = self.files.upload(dataset.id)
        upload.parent.mkdir(parents=True, exist_ok=True)
        make_zip(upload, files)
        return dataset.id

    def run(self) -> None:
        runner = JobRunner(
            self.database,
            self.settings,
            self.wake_ups,
            threading.Event(),
            Slots([None]),
            choose_stage,
        )
        assert runner.run_next(Queue.CPU)

    def take_in(self, files: Mapping[str, bytes], **values: Any) -> Dataset:
        dataset_id = self.queue(files, **values)
        self.run()
        with self.database.read() as session:
            job = session.scalars(select(Job).where(Job.dataset_id == dataset_id)).one()
            assert job.state is JobState.SUCCEEDED, job.error_detail
        return self.dataset(dataset_id)

    def add(self, parent: Dataset, files: Mapping[str, bytes]) -> Dataset:
        return self.take_in(files, parent_id=parent.id, version=parent.version + 1)

    def dataset(self, dataset_id: UUID) -> Dataset:
        with self.database.read() as session:
            return session.get_one(Dataset, dataset_id)

    def samples(self, dataset: Dataset) -> dict[str, Sample]:
        with self.database.read() as session:
            query = select(Sample).where(Sample.dataset_id == dataset.id).order_by(Sample.position)
            return {row.path: row for row in session.scalars(query)}

    def decide(self, dataset: Dataset, path: str, **body: str) -> None:
        sample_id = format_sample_id(self.samples(dataset)[path].id)
        with self.database.unit_of_work() as session:
            reviews = ReviewService(session, self.reviewer, self.wake_ups)
            reviews.decide(sample_id, DecisionWrite.model_validate(body), versions=None)

    def cache(self, dataset: Dataset) -> bytes:
        return self.files.image_cache(dataset.id, dataset.image_size or 0).read_bytes()

    def snapshot(self, dataset: Dataset) -> Any:
        rows = [
            tuple(getattr(row, column.key) for column in Sample.__table__.columns)
            for row in self.samples(dataset).values()
        ]
        row = self.dataset(dataset.id)
        names = ("classes", "content_hash", "num_samples", "splits", "image_size", "version")
        return rows, [getattr(row, name) for name in names], self.cache(dataset)


@pytest.fixture
def builder(database: Database, settings: Settings) -> Builder:
    return Builder(database, settings)


@pytest.fixture
def first(builder: Builder) -> Dataset:
    return builder.take_in(FIRST)


@on_sqlite
class TestNextVersion:
    def test_holds_the_samples_of_both_and_leaves_the_first_alone(
        self, builder: Builder, first: Dataset
    ) -> None:
        before = builder.snapshot(first)
        second = builder.add(first, MORE)
        assert builder.snapshot(first) == before
        assert (second.version, second.parent_id) == (2, first.id)
        assert second.classes == ["ant", "cat", "dog"]
        assert (second.num_samples, second.num_rejected) == (9, 1)
        samples = builder.samples(second)
        assert list(samples) == [*FIRST, "ant/9.png", "cat/1.png", "cat/2.png"]
        assert second.classes[samples["dog/1.png"].given_label] == "dog"
        assert samples["ant/9.png"].duplicate_group == 0  # a copy in the first part
        assert builder.cache(second).startswith(builder.cache(first))
        assert len(builder.cache(second)) == 9 * len(builder.cache(first)) // 6

    def test_knows_the_very_same_pictures_of_both(self, builder: Builder) -> None:
        def again(number: int) -> bytes:
            return encoded(pattern(number), compress_level=0)

        first = builder.take_in(FIRST | {"dog/again.png": again(1)})
        assert builder.samples(first)["dog/again.png"].picture == 1
        more = {"cat/1.png": again(2), "cat/2.png": png(50), "ant/9.png": FIRST["ant/0.png"]}
        found = {
            path: row.picture for path, row in builder.samples(builder.add(first, more)).items()
        }
        same = {"ant/0.png": 0, "ant/9.png": 0, "ant/1.png": 1, "dog/again.png": 1}
        same |= {"ant/2.png": 2, "cat/1.png": 2}
        assert {path: picture for path, picture in found.items() if picture is not None} == same

    def test_has_the_content_hash_of_one_upload_of_all(
        self, builder: Builder, first: Dataset
    ) -> None:
        together = builder.take_in(FIRST | MORE)
        second = builder.add(first, MORE)
        assert second.content_hash == together.content_hash
        assert second.splits == together.splits
        assert second.classes == together.classes

    def test_stores_equal_content_once(self, builder: Builder, first: Dataset) -> None:
        blobs = open_blobs(builder.settings, builder.tenant.id)
        before = set(blobs.names())
        second = builder.add(first, MORE)
        added = set(blobs.names()) - before
        samples = builder.samples(second)
        assert added == {samples["cat/1.png"].sha256, samples["cat/2.png"].sha256}

    def test_decodes_anew_where_the_cache_is_gone(self, builder: Builder, first: Dataset) -> None:
        expected = builder.cache(builder.add(first, MORE))
        shutil.rmtree(builder.files.dataset_cache(first.id))
        assert builder.cache(builder.add(first, MORE)) == expected

    def test_can_hold_one_split_alone(self, builder: Builder, first: Dataset) -> None:
        second = builder.add(first, {"test/dog/7.png": png(70), "test/dog/8.png": png(71)})
        assert second.splits == {"train": 6, "test": 2}

    def test_refuses_a_file_of_an_earlier_name(self, builder: Builder, first: Dataset) -> None:
        second = builder.add(first, {"dog/1.png": png(70), "dog/7.png": png(71)})
        assert (second.num_samples, second.num_rejected) == (7, 1)
        assert builder.samples(second)["dog/1.png"].sha256 == (
            builder.samples(first)["dog/1.png"].sha256
        )

    def test_gives_rows_without_names_other_paths(self, builder: Builder) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (2, 4, 8, 8, 3), np.uint8)
        parts = [arrays_of({"images": four, "labels": np.arange(4) % 2}) for four in noise]
        second = builder.add(builder.take_in(parts[0]), parts[1])
        assert second.num_samples == 8
        assert list(builder.samples(second))[4] == "part-2/images/00000000.png"


class TestDecisions:
    def test_carry_over_with_labels_by_name(self, builder: Builder, first: Dataset) -> None:
        builder.decide(first, "ant/0.png", decision="relabel", label="dog", comment="it barks")
        builder.decide(first, "ant/1.png", decision="exclude", reason="off_topic")
        builder.decide(first, "ant/2.png", decision="keep")
        builder.decide(first, "ant/2.png", decision="unsure")
        second = builder.add(first, MORE)
        rows = builder.samples(second)
        told = {
            path: (row.decision, row.decided_label, row.exclusion, row.version)
            for path, row in rows.items()
            if row.decision is not None
        }
        assert told == {
            "ant/0.png": ("relabel", second.classes.index("dog"), None, 2),
            "ant/1.png": ("exclude", None, "off_topic", 2),
            "ant/2.png": ("unsure", None, None, 2),
        }
        assert builder.samples(first)["ant/0.png"].decided_label == 1  # without a cat between

    def test_stand_in_the_log_and_can_be_undone(self, builder: Builder, first: Dataset) -> None:
        builder.decide(first, "ant/0.png", decision="relabel", label="dog", comment="it barks")
        second = builder.add(first, MORE)
        with builder.database.unit_of_work() as session:
            history = History(session, builder.reviewer)
            (step,), (original,) = (
                history.steps(str(dataset.id), PageRequest()).items for dataset in (second, first)
            )
            assert (step.comment, step.at) == ("it barks", original.at)
            assert step.num_samples == 1
            history.revert(str(second.id), StepKind.UNDO, StepChoice())
        assert builder.samples(second)["ant/0.png"].decision is None
        assert builder.samples(first)["ant/0.png"].decision == "relabel"


@on_sqlite
class TestFailures:
    def test_without_a_usable_file(self, builder: Builder, first: Dataset) -> None:
        part = builder.queue({"dog/x.png": b"no"}, parent_id=first.id, version=2)
        builder.run()
        assert builder.dataset(part).state is DatasetState.FAILED
        assert _error(builder, part) == "no_samples"

    def test_after_the_version_before_was_deleted(self, builder: Builder) -> None:
        part = builder.queue(FIRST, parent_id=None, version=2)
        builder.run()
        assert _error(builder, part) == "parent_gone"

    def test_of_another_tenant_is_not_added_to(self, builder: Builder, first: Dataset) -> None:
        with builder.database.unit_of_work() as session:
            builder.tenant = make_tenant(session, "other")
        part = builder.queue(MORE, parent_id=first.id, version=2)
        builder.run()
        assert builder.dataset(part).num_samples == 0


def _error(builder: Builder, dataset_id: UUID) -> str | None:
    with builder.database.read() as session:
        return session.scalars(select(Job.error_code).where(Job.dataset_id == dataset_id)).one()
