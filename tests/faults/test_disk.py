"""Files that a kill or a full disk interrupts: RELIABILITY tests 14 and 15."""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.faults.conftest import Say
from tests.faults.house import open_house
from tests.support.archives import write_tiny_zip
from tests.support.processes import started
from worker.stages.train.checkpoints import CheckpointError, load_checkpoint

pytestmark = pytest.mark.faults
_NUM_KILLS = 50
_VOLUME_MB = 96
_WRITER = """
import sys, torch
from pathlib import Path
from worker.stages.train.checkpoints import Checkpoint, save_checkpoint
tensors = {"weight": torch.ones(12_500_000)}  # 50 MB
for epoch in range(int(sys.argv[2]), 10**6):
    save_checkpoint(Path(sys.argv[1]), epoch, Checkpoint(tensors, {"epoch": epoch}))
    print(epoch, flush=True)
"""


def _loadable(folder: Path) -> list[int]:
    """Return the epochs whose checkpoints can be read."""
    good = []
    for path in sorted(folder.glob("epoch-*")):
        try:
            good.append(load_checkpoint(path).metadata["epoch"])
        except CheckpointError:
            continue
    return good


def test_14_a_kill_in_the_middle_of_a_write_leaves_a_good_checkpoint(
    tmp_path: Path, say: Say
) -> None:
    folder = tmp_path / "attempt-1-train" / "checkpoints"
    folder.mkdir(parents=True)
    newest, num_torn = 0, 0
    for round_number in range(_NUM_KILLS):
        with started(
            [sys.executable, "-c", _WRITER, folder, str(newest + 1)], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            written = int(writer.stdout.readline())
            time.sleep(0.2 * round_number / _NUM_KILLS)
            writer.kill()
        good = _loadable(folder)
        assert good
        assert max(good) >= written
        num_torn += len(list(folder.glob("epoch-*"))) - len(good)
        newest = max(good)
    say(f"14: {_NUM_KILLS} kills, a good checkpoint each time, {num_torn} torn ones refused")


@pytest.fixture
def small_volume(tmp_path: Path) -> Iterator[Path]:
    """A disk that is soon full."""
    folder = tmp_path / "volume"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={_VOLUME_MB}m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a small volume")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)  # noqa: S607 - the system's


def _fill(folder: Path) -> Path:
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return filler


def _integrity(database: Path) -> str:
    with sqlite3.connect(database) as connection:
        answer: str = connection.execute("PRAGMA integrity_check").fetchone()[0]
    connection.close()
    return answer


def test_15_a_full_disk_is_told_and_survived(small_volume: Path, say: Say) -> None:
    archive = small_volume.parent / "colours.zip"
    write_tiny_zip(archive)
    with open_house(small_volume, "embedded", LABELAUDIT_MIN_FREE_BYTES="1000000") as house:
        job_id = house.audit(epochs=5000)
        house.wait_for_epoch(job_id, 3)
        filler = _fill(small_volume)
        reply = house.client.upload(archive)
        assert (reply.status_code, reply.json()["code"]) == (507, "no_space")
        time.sleep(3)
        assert _integrity(house.stack.data_dir / "labelaudit.db") == "ok"
        filler.unlink()
        job = house.client.wait(job_id, seconds=120)
        assert (job["state"], job["error"]["code"]) == ("failed", "no_space")
        assert house.client.wait(house.audit(epochs=2))["state"] == "succeeded"
    say("15: upload 507, job failed with no_space, database intact, works again")
