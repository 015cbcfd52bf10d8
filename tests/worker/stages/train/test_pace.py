"""What a training tells of its speed and its end leaves out what starting up took."""

import pytest

import ml
from app.core.db import Database
from app.core.settings import Settings
from app.core.storage import DataFolder
from tests.support.engines import on_sqlite
from tests.support.rows import make_dataset, make_job, make_tenant
from worker.runtime.claim import Attempt
from worker.runtime.stage import StageContext
from worker.stages.train.host import TrainStage
from worker.stages.train.pace import Pace, TrainingPace

NUM_SAMPLES, NUM_BATCHES, EPOCHS = 1000, 10, 9
START_UP, PER_BATCH = 60.0, 0.5


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1e6

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _train(
    clock: Clock, *, epochs_done: int = 0, until: int = EPOCHS
) -> list[tuple[int, int, float | None, float | None]]:
    """Return epoch, batch, images per second and seconds left, told after each batch."""
    pace = TrainingPace(NUM_SAMPLES, epochs=EPOCHS, epochs_done=epochs_done, clock=clock)
    told = []
    clock.now += START_UP
    for epoch in range(epochs_done + 1, until + 1):
        for number in range(1, NUM_BATCHES + 1):
            clock.now += PER_BATCH
            batch = ml.BatchProgress(epoch=epoch, batch=number, num_batches=NUM_BATCHES)
            told.append((epoch, number, *pace.after(batch)))
    return told


def test_no_end_is_told_before_two_epochs_are_over(clock: Clock) -> None:
    told = _train(clock)
    known = [(epoch, batch) for epoch, batch, _, left in told if left is not None]
    assert known[0] == (2, NUM_BATCHES)
    assert len(known) == (EPOCHS - 2) * NUM_BATCHES + 1


def test_the_end_that_is_told_is_the_true_one(clock: Clock) -> None:
    for epoch, batch, _, left in _train(clock):
        num_left = (EPOCHS - epoch) * NUM_BATCHES + NUM_BATCHES - batch
        assert left is None or left == pytest.approx(num_left * PER_BATCH)


def test_a_resumed_training_starts_up_too(clock: Clock) -> None:
    told = _train(clock, epochs_done=5)
    known = [(epoch, batch, left) for epoch, batch, _, left in told if left is not None]
    assert known[0] == (7, NUM_BATCHES, 2 * NUM_BATCHES * PER_BATCH)


def test_the_speed_is_that_after_the_first_batch(clock: Clock) -> None:
    speeds = [speed for _, _, speed, _ in _train(clock)]
    assert speeds[0] is None
    true_speed = NUM_SAMPLES / NUM_BATCHES / PER_BATCH
    assert {round(speed, 6) for speed in speeds if speed is not None} == {true_speed}


def test_work_that_does_not_go_on_has_no_speed(clock: Clock) -> None:
    pace = Pace(clock=clock)
    assert [pace.rate(1.0), pace.rate(1.0)] == [None, None]
    clock.now += 2.0
    assert pace.rate(5.0) == 2.0


@on_sqlite
def test_the_end_of_a_stage_is_not_that_of_the_next(database: Database, settings: Settings) -> None:
    with database.unit_of_work() as session:
        job = make_job(session, make_dataset(session, make_tenant(session).id), owner="me")
        attempt = Attempt.of(job)
    folder = DataFolder(settings)
    stage = TrainStage(StageContext(attempt, database, folder, {}, settings))
    pace = {"epoch": 9, "epochs": 9, "eta_seconds": 0.0, "images_per_second": 5.0}
    update = stage.translate({"event": "progress", "fraction": 1.0, **pace})
    update.add(stage.translate({"event": "stage", "stage": "score"}))
    assert update.values["stage"] == "score"
    assert update.values["eta_seconds"] is None
    assert update.values["images_per_second"] is None
