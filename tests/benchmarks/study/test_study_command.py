import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.study.support import cell_names
from tests.labelaudit.program import environment
from tests.support.archives import write_tiny_zip
from tests.support.processes import find_processes, run_to_end, started
from tests.support.waiting import wait_for

QUICK = ("--seeds", "0", "--width", "4", "--set", "batch_size=20")
CHILD = "benchmarks.study.child"
COMMAND = (sys.executable, "-P", "-m", "benchmarks.study")


def run_study(
    *arguments: object, folder: Path, **variables: str
) -> "subprocess.CompletedProcess[str]":
    return run_to_end((*COMMAND, *arguments), cwd=folder, env=environment(**variables))


@pytest.fixture
def images(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.zip"
    write_tiny_zip(path, num_train=60, num_test=15)
    return path


def test_a_study_runs_from_an_archive_to_its_table(tmp_path: Path, images: Path) -> None:
    done = run_study(
        images, "--methods", "mixup", "--noise", "0.5", "--epochs", "2", *QUICK,
        "--out", "out", folder=tmp_path, OMP_NUM_THREADS="1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "[1/1] mixup-uniform0.5-seed0: epoch 2/2, test accuracy" in done.stderr
    assert "mixup" in done.stdout
    out = tmp_path / "out"
    assert cell_names(out) == {"mixup-uniform0.5-seed0.json"}
    result = json.loads((out / "cells" / "mixup-uniform0.5-seed0.json").read_text())
    assert (result["config"]["batch_size"], result["data"]["num_test"]) == (20, 15)
    assert (out / "table.md").read_text().startswith("# Methods under label noise: tiny\n")
    assert (out / "roc-uniform0.5.png").exists()


@pytest.mark.parametrize(
    ("number", "exit_code"), [(signal.SIGINT, 1), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_no_cell_outlives_the_study(
    tmp_path: Path, images: Path, number: int, exit_code: int
) -> None:
    command = (*COMMAND, images, "--methods", "ce", "--epochs", "9999", *QUICK)
    with started(
        command,
        cwd=tmp_path,
        env=environment(OMP_NUM_THREADS="1", TMPDIR=str(tmp_path)),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        wait_for(lambda: find_processes(CHILD, str(tmp_path)), seconds=120, what="a cell")
        process.send_signal(number)
        _, stderr = process.communicate(timeout=120)
        wait_for(
            lambda: not find_processes(CHILD, str(tmp_path)), seconds=60, what="end of the cell"
        )
    assert process.returncode == exit_code
    assert "Traceback" not in stderr
    if number == signal.SIGINT:
        assert stderr.splitlines()[-2] == "error: stopped before the end (cancelled)"
        assert not list(tmp_path.glob("labelaudit-study-*"))
    assert cell_names(tmp_path / "study") == set()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("nowhere",), "not_found"),
        ((".", "--noise", "half"), "invalid_option"),
    ],
)
def test_bad_input_ends_with_2_and_says_why(
    tmp_path: Path, arguments: tuple[str, ...], code: str
) -> None:
    done = run_study(*arguments, folder=tmp_path)
    assert (done.returncode, f"({code})" in done.stderr) == (2, True), done.stderr
    assert "Traceback" not in done.stderr
