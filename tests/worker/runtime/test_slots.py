import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.core.settings import Settings
from app.models import Queue
from worker.runtime.slots import Slots, gpus_of

NVIDIA_SMI = "#!/bin/sh\nprintf '0\\n1\\n2\\n'\n"


def _devices(slots: Slots) -> list[str | None]:
    with slots.take() as first:
        if len(slots) == 1:
            return [first]
        with slots.take() as second:
            return [first, second]


class TestSlots:
    def test_are_one_for_each_gpu(self) -> None:
        slots = Slots.of(Queue.GPU, Settings(gpus="0, 1"))
        assert _devices(slots) == ["0", "1"]

    def test_are_one_where_there_is_no_gpu(self) -> None:
        assert _devices(Slots.of(Queue.GPU, Settings(gpus=""))) == [None]

    def test_of_short_work_see_no_gpu(self) -> None:
        assert _devices(Slots.of(Queue.CPU, Settings(gpus="0,1"))) == [""]

    def test_take_their_device_back(self) -> None:
        slots = Slots(["0"])
        for _ in range(2):
            with slots.take() as device:
                assert device == "0"


class TestGpusOf:
    def test_a_setting_wins_over_what_cuda_is_told(self) -> None:
        assert gpus_of("3", {"CUDA_VISIBLE_DEVICES": "0,1"}) == ["3"]

    def test_what_cuda_is_told_is_obeyed(self) -> None:
        assert gpus_of(None, {"CUDA_VISIBLE_DEVICES": "1,GPU-abc"}) == ["1", "GPU-abc"]
        assert gpus_of(None, {"CUDA_VISIBLE_DEVICES": "-1"}) == []

    def test_else_the_driver_is_asked(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        assert gpus_of(None, {}) == []
        driver = tmp_path / "nvidia-smi"
        driver.write_text(NVIDIA_SMI)
        driver.chmod(0o755)
        assert gpus_of(None, {}) == ["0", "1", "2"]


def test_a_worker_counts_gpus_without_loading_torch() -> None:
    code = "import sys, worker.main; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
