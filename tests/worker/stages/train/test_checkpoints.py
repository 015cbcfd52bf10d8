import sys
import time
from pathlib import Path

import pytest
import torch

from tests.support.processes import started
from tests.support.waiting import wait_for
from worker.stages.train.checkpoints import (
    Checkpoint,
    CheckpointError,
    candidates,
    load_checkpoint,
    save_checkpoint,
)

WRITER = """
import sys, torch
from pathlib import Path
from worker.stages.train.checkpoints import Checkpoint, save_checkpoint
for epoch in range(1, 10_000):
    tensors = {"weight": torch.full((500_000,), float(epoch))}
    save_checkpoint(Path(sys.argv[1]), epoch, Checkpoint(tensors, {"epoch": epoch}))
"""


def _checkpoint(value: float) -> Checkpoint:
    return Checkpoint({"weight": torch.full((10,), value)}, {"value": value})


def _folder(tmp_path: Path, attempt: int = 1) -> Path:
    folder = tmp_path / f"attempt-{attempt}-train" / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class TestCheckpoints:
    def test_come_back_as_they_were(self, tmp_path: Path) -> None:
        loaded = load_checkpoint(save_checkpoint(_folder(tmp_path), 1, _checkpoint(0.5)))
        assert torch.equal(loaded.tensors["weight"], torch.full((10,), 0.5))
        assert loaded.metadata == {"value": 0.5}

    def test_keep_the_last_two(self, tmp_path: Path) -> None:
        folder = _folder(tmp_path)
        for epoch in range(1, 5):
            save_checkpoint(folder, epoch, _checkpoint(float(epoch)))
        assert sorted(path.name for path in folder.iterdir()) == ["epoch-00003", "epoch-00004"]

    def test_take_finite_values_whose_sum_is_not(self, tmp_path: Path) -> None:
        losses = torch.full((9, 100), 6e4, dtype=torch.float16)
        path = save_checkpoint(tmp_path, 1, Checkpoint({"losses": losses}, {}))
        assert torch.equal(load_checkpoint(path).tensors["losses"], losses)

    def test_refuse_a_state_that_is_not_finite_and_keep_the_good_one(self, tmp_path: Path) -> None:
        folder = _folder(tmp_path)
        good = save_checkpoint(folder, 1, _checkpoint(1.0))
        with pytest.raises(ValueError, match="weight is not finite"):
            save_checkpoint(folder, 2, _checkpoint(float("nan")))
        assert load_checkpoint(good).metadata == {"value": 1.0}
        assert [path.name for path in folder.iterdir()] == ["epoch-00001"]

    def test_are_refused_once_changed(self, tmp_path: Path) -> None:
        path = save_checkpoint(_folder(tmp_path), 1, _checkpoint(1.0))
        with (path / "state.safetensors").open("rb+") as file:
            file.truncate(20)
        with pytest.raises(CheckpointError, match="not as it was written"):
            load_checkpoint(path)

    def test_fall_back_to_older_ones_of_any_attempt(self, tmp_path: Path) -> None:
        for epoch in (1, 2):
            save_checkpoint(_folder(tmp_path, attempt=1), epoch, _checkpoint(1.0))
        newest = save_checkpoint(_folder(tmp_path, attempt=2), 3, _checkpoint(1.0))
        names = [path.name for path in candidates(newest)]
        assert names == ["epoch-00003", "epoch-00002", "epoch-00001"]

    def test_newer_than_the_pointer_are_used(self, tmp_path: Path) -> None:
        folder = _folder(tmp_path)
        pointer = save_checkpoint(folder, 1, _checkpoint(1.0))
        for epoch in (2, 3):  # written before the row was told; the pointed-to one is gone
            save_checkpoint(folder, epoch, _checkpoint(1.0))
        assert not pointer.exists()
        assert [path.name for path in candidates(pointer)] == ["epoch-00003", "epoch-00002"]

    def test_survive_a_kill_at_any_moment(self, tmp_path: Path) -> None:
        folder = _folder(tmp_path)
        for i in range(4):
            with started([sys.executable, "-c", WRITER, folder]):
                wait_for(
                    lambda: len(list(folder.glob("epoch-*/manifest.json"))) >= 2,
                    seconds=60,
                    what="two checkpoints",
                )
                time.sleep(0.05 * i)
            good = []
            for path in sorted(folder.iterdir()):
                try:
                    good.append(load_checkpoint(path))
                except CheckpointError:
                    continue
            assert good
            for path in folder.iterdir():
                for file in path.iterdir():
                    file.unlink()
                path.rmdir()
