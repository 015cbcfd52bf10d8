import json
import os
import shutil
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

import ml
from benchmarks.harness import code_version
from benchmarks.study.results import CellResult, StudyFolder
from benchmarks.study.runner import run_study
from labelaudit.errors import InputError, ServiceError
from tests.benchmarks.study.support import cell_names, tiny_data, tiny_grid
from tests.support.processes import find_processes
from tests.support.waiting import wait_for

CE, DYNAMIC = "ce-uniform0.5-seed0", "m-dyr-h-uniform0.5-seed0"


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study whose two cells are finished."""
    out = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        run_study(tiny_data(), tiny_grid(), out, processes=2)
    return out


@pytest.fixture
def out(finished: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(finished, tmp_path / "out")


def read(out: Path, name: str) -> CellResult:
    result: CellResult = json.loads((out / "cells" / f"{name}.json").read_text())
    return result


class TestCell:
    def test_tells_what_was_run_on_what(self, out: Path) -> None:
        result = read(out, DYNAMIC)
        assert result["config"]["method"] == "m-dyr-h"
        assert ml.TrainConfig(**result["config"]) == tiny_grid().config(tiny_grid().cells()[1])
        assert result["data"]["fingerprint"] == tiny_data().fingerprint()
        assert result["commit"] == code_version()
        assert set(result["versions"]) == {"torch", "python", "numpy", "scipy"}
        assert result["hardware"]["threads"] == 1
        assert 0.25 < result["actual_noise_rate"] < 0.42  # half of the labels, two of three wrong

    def test_tests_after_every_epoch(self, out: Path) -> None:
        result = read(out, DYNAMIC)
        accuracies = [row["test_accuracy"] for row in result["epochs"]]
        assert [row["epoch"] for row in result["epochs"]] == [1, 2, 3]
        assert len(set(accuracies)) > 1
        assert (result["best_accuracy"], result["last_accuracy"]) == (
            max(accuracies),
            accuracies[-1],
        )

    def test_compares_every_estimator_with_the_truth(self, out: Path) -> None:
        detection = read(out, CE)["detection"]
        assert {"bmm-robust", "bmm-faithful", "findings", "argmax"} <= set(detection)
        assert all(0.0 <= score["flagged"] <= 1.0 for score in detection.values())

    def test_keeps_losses_for_the_pictures(self, out: Path) -> None:
        with np.load(StudyFolder(out).losses_of(CE), allow_pickle=False) as arrays:
            assert arrays["epochs"].tolist() == [1, 2, 3]
            assert arrays["losses"].shape == (3, 120)
            assert arrays["is_wrong"].mean() == read(out, CE)["actual_noise_rate"]

    def test_all_methods_of_a_seed_meet_the_same_wrong_labels(self, out: Path) -> None:
        folder = StudyFolder(out)
        wrong = []
        for name in (CE, DYNAMIC):
            with np.load(folder.losses_of(name), allow_pickle=False) as arrays:
                wrong.append(arrays["is_wrong"])
        assert (wrong[0] == wrong[1]).all()


class TestGoingOn:
    def test_finished_cells_are_not_run_again(self, out: Path) -> None:
        before = {path: path.stat().st_mtime_ns for path in (out / "cells").iterdir()}
        run_study(tiny_data(), tiny_grid(), out)
        assert {path: path.stat().st_mtime_ns for path in (out / "cells").iterdir()} == before

    def test_a_killed_cell_is_lost_alone_and_run_again_to_the_same_figures(
        self, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # where the cell's spec will lie
        before = read(out, DYNAMIC)
        StudyFolder(out).cell(DYNAMIC).unlink()
        killer = threading.Thread(target=kill_cell, args=(DYNAMIC, tmp_path))
        killer.start()
        with pytest.raises(ServiceError, match="SIGKILL") as raised:
            run_study(tiny_data(), tiny_grid(), out)
        killer.join()
        assert raised.value.code == "cells_failed"
        assert cell_names(out) == {f"{CE}.json"}
        run_study(tiny_data(), tiny_grid(), out)
        after = read(out, DYNAMIC)
        assert after["detection"] == before["detection"]
        assert after["last_accuracy"] == before["last_accuracy"]

    def test_other_settings_are_refused_and_named(self, out: Path) -> None:
        with pytest.raises(InputError, match="epochs was 3, is 4") as raised:
            run_study(tiny_data(), tiny_grid(options={"epochs": 4}), out)
        assert raised.value.code == "settings_changed"
        assert cell_names(out) == {f"{CE}.json", f"{DYNAMIC}.json"}

    def test_other_data_are_refused(self, out: Path) -> None:
        with pytest.raises(InputError, match="the data"):
            run_study(tiny_data(seed=1), tiny_grid(), out)

    def test_options_that_are_younger_than_a_result_had_their_defaults(self, out: Path) -> None:
        result = read(out, CE)
        del result["config"]["crop_border"]
        StudyFolder(out).cell(CE).write_text(json.dumps(result))
        run_study(tiny_data(), tiny_grid(), out)
        with pytest.raises(InputError, match="crop_border was mirror, is black"):
            run_study(tiny_data(), tiny_grid(options={"crop_border": "black"}), out)

    def test_options_that_no_longer_exist_are_other_settings(self, out: Path) -> None:
        result = read(out, CE)
        result["config"]["colour"] = "red"
        StudyFolder(out).cell(CE).write_text(json.dumps(result))
        with pytest.raises(InputError, match="no longer exist"):
            run_study(tiny_data(), tiny_grid(), out)


def kill_cell(name: str, folder: Path) -> None:
    """Kill the process of a cell whose spec lies in `folder`, as soon as it is there."""
    words = ("benchmarks.study.child", str(folder), name)  # not a cell of somebody else's study
    for pid in wait_for(lambda: find_processes(*words), seconds=120, what="cell", every=0.01):
        os.kill(pid, signal.SIGKILL)


def test_noise_that_the_data_cannot_have_is_told_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(InputError) as raised:
        run_study(tiny_data(), tiny_grid(noise_kind="asymmetric-cifar10"), tmp_path)
    assert raised.value.code == "invalid_option"
    assert not list(tmp_path.iterdir())


def test_at_least_one_process_is_needed(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        run_study(tiny_data(), tiny_grid(), tmp_path, processes=0)


def test_no_commit_is_told_where_the_code_lies_in_no_working_tree_of_its_own(
    tmp_path: Path,
) -> None:
    assert code_version(tmp_path) == {"id": None, "dirty": None}
    inside = Path(__file__).parent
    assert code_version(inside)["id"] is None
