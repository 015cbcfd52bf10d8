"""The real reader and the real scorer, each as the process that it is."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.worker.stages.score.making import lists, plant, small, write_npz, write_parquet
from worker.processes.child import EXIT_DONE, EXIT_FAILED, StopRequest
from worker.processes.errors import ChildFailedError, InterruptedWorkError
from worker.stages.score import child as scorer
from worker.stages.score.arrays import Scores

ROOT = Path(__file__).parents[4]


@pytest.fixture
def spec(file: Path) -> Path:
    """A spec whose file of scores is yet to be written."""
    values = {"scores": str(file), "out_dir": str(file.parent), "max_rows": 1000}
    spec = file.with_name("spec.json")
    spec.write_text(json.dumps(values))
    return spec


def run(module: str, spec: Path) -> tuple[int, list[dict[str, Any]], str]:
    done = subprocess.run(
        [sys.executable, "-P", "-m", module, str(spec)],
        capture_output=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


class TestReader:
    @pytest.mark.parametrize("kind", ["npz", "parquet"])
    def test_leaves_checked_arrays(self, file: Path, spec: Path, kind: str) -> None:
        planted = plant(60)
        arrays = {"given_label": planted.label}
        if kind == "npz":
            write_npz(file, arrays | {"pred_probs": planted.prob, "features": planted.prob})
        else:
            rows = lists(planted.prob)
            write_parquet(file, arrays | {"pred_probs": rows, "features": rows})
        code, events, err = run("worker.stages.score.reader", spec)
        assert (code, err) == (EXIT_DONE, "")
        assert events == [{"event": "progress", "fraction": 0.5}] * len(events)
        scores = Scores.load(file.parent)
        np.testing.assert_allclose(scores.prob, planted.prob, atol=1e-6)
        assert scores.label.tolist() == planted.label.tolist()
        assert scores.feature is not None
        assert scores.class_names == ["0", "1", "2"]

    def test_names_what_is_wrong(self, file: Path, spec: Path) -> None:
        arrays = small()
        arrays["pred_probs"][3] *= 0.93
        write_npz(file, arrays)
        code, events, err = run("worker.stages.score.reader", spec)
        assert (code, err) == (EXIT_FAILED, "")
        detail = "row 3 of pred_probs sums to 0.93, not to 1"
        assert events == [{"event": "failed", "code": "invalid_scores", "detail": detail}]

    def test_finds_no_more_memory_than_the_headers_ask_for(self) -> None:
        program = (
            "import numpy as np\n"
            "from worker.stages.score.arrays import MemoryWall\n"
            "wall = MemoryWall()\n"
            "try:\n"
            "    np.ones(300_000_000)\n"
            "except MemoryError:\n"
            "    print('no')\n"
            "wall.make_room(100_000_000)\n"
            "print(len(np.empty(300_000_000)))\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT
        )
        assert done.stdout.split() == ["no", "300000000"], done.stderr


class TestReaderProcess:
    @pytest.fixture(autouse=True)
    def fake_reader(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(scorer, "READER", "tests.support.fake_child")

    def read(self, spec: Path, *steps: dict[str, Any], is_to_stop: bool = False) -> None:
        spec.write_text(json.dumps({"steps": steps}))
        stop = StopRequest()
        stop.requested = is_to_stop
        scorer.read_scores(spec, stop)

    def exit_of(self, spec: Path, *steps: dict[str, Any]) -> int | str | None:
        with pytest.raises(SystemExit) as ended:
            self.read(spec, *steps)
        return ended.value.code

    def test_returns_when_the_reader_is_done(self, spec: Path) -> None:
        self.read(spec)

    @pytest.mark.parametrize("crash", [signal.SIGABRT, signal.SIGSEGV, signal.SIGXCPU])
    def test_a_crash_says_that_the_file_is_bad(self, spec: Path, crash: int) -> None:
        with pytest.raises(ChildFailedError, match=signal.Signals(crash).name) as failed:
            self.read(spec, {"signal": crash})
        assert failed.value.code == "invalid_scores"

    def test_a_reader_that_was_killed_says_nothing_of_the_file(
        self, spec: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        assert self.exit_of(spec, {"signal": signal.SIGKILL}) == -signal.SIGKILL
        assert capfd.readouterr().out == ""

    def test_what_the_reader_refused_is_not_told_again(
        self, spec: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        assert self.exit_of(spec, {"fail": "no_space"}) == EXIT_FAILED
        assert json.loads(capfd.readouterr().out)["code"] == "no_space"

    def test_a_request_to_stop_is_passed_on(self, spec: Path) -> None:
        asked = time.monotonic()
        with pytest.raises(InterruptedWorkError):
            self.read(spec, {"sleep": 60}, is_to_stop=True)
        assert time.monotonic() - asked < 30
