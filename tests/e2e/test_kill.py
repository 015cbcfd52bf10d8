"""kill -9 of the trainer, then of the worker: the job goes on and ends well."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.archives import write_tiny_zip
from tests.support.processes import find_processes
from tests.support.service import Service
from tests.support.waiting import wait_for

NUM_SAMPLES = 240
NUM_EPOCHS = 15


def _start_audit(service: Service, folder: Path) -> str:
    archive = folder / "colours.zip"
    write_tiny_zip(archive, num_train=NUM_SAMPLES)
    job_id: str = service.upload(archive, audit=f'{{"epochs": {NUM_EPOCHS}}}').json()["job_id"]
    wait_for(
        lambda: (service.job(job_id)["progress"]["epoch"] or 0) >= 4, seconds=90, what="epoch 4"
    )
    return job_id


def _assert_went_on(service: Service, job: dict[str, Any], *, from_epoch: int) -> None:
    assert job["state"] == "succeeded"
    assert job["attempt"] >= 2
    resumed = [line for line in service.events(job["id"]).split("\n\n") if "event: resumed" in line]
    assert any(f'"epoch":{epoch}' in resumed[0].replace(" ", "")
               for epoch in range(from_epoch, NUM_EPOCHS + 1))  # fmt: skip
    rows = service.findings(job["id"], limit=100)
    assert len({row["sample_id"] for row in rows}) == len(rows) == NUM_SAMPLES


@pytest.mark.parametrize("victim", ["trainer", "worker"])
def test_a_killed_process_costs_no_result(service: Service, tmp_path: Path, victim: str) -> None:
    job_id = _start_audit(service, tmp_path)
    words = {
        "trainer": ("worker.stages.train.child", job_id),
        "worker": ("labelaudit", "worker", "gpu"),
    }[victim]
    serving = {service.process.pid}
    pids = [pid for pid in find_processes(*words) if _parent(pid) in serving or victim == "trainer"]
    assert len(pids) == 1
    os.kill(pids[0], signal.SIGKILL)
    job = service.wait(job_id)
    _assert_went_on(service, job, from_epoch=3)


def _parent(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[1])
