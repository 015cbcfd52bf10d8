"""Two processes that train together do what one does."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ml.training.peers import Peers
from tests.ml.support import colour_images, run_training
from tests.ml.training.two_processes import CONFIG, Arrays, audit, gradients

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder in which two processes left what they have got."""
    out = tmp_path_factory.mktemp("peers")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", "-m", "tests.ml.training.two_processes", str(out)]
    environ = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return out


@pytest.fixture(scope="module")
def both(out: Path) -> list[Arrays]:
    """Return what each of two processes has got."""
    return [dict(np.load(out / f"{rank}.npz")) for rank in (0, 1)]


def test_gradients_are_those_of_one_process(both: list[Arrays]) -> None:
    for name, expected in gradients(Peers()).items():
        for each in both:
            scale = float(np.abs(expected).max())
            np.testing.assert_allclose(each[f"gradient.{name}"], expected, atol=1e-5 * scale)


def test_all_processes_end_with_the_same_state(both: list[Arrays]) -> None:
    first, second = both
    assert first.keys() == second.keys()
    for name, array in first.items():
        assert np.array_equal(array, second[name]), name


def test_wrong_labels_are_found_as_by_one_process(both: list[Arrays]) -> None:
    _, alone = audit(None)
    one, two = (
        roc_auc_score(found["is_wrong"], found["p_mislabeled"]) for found in (alone, both[0])
    )
    assert one > 0.9
    assert abs(one - two) < 0.01


def test_nothing_is_left_of_a_group_that_was_destroyed(out: Path) -> None:
    """A thread that outlives its group may drop a tensor while Python ends, which aborts it."""
    assert [(out / f"{rank}.threads").read_text() for rank in (0, 1)] == ["", ""]


def test_parts_hold_every_row_once(monkeypatch: pytest.MonkeyPatch) -> None:
    peers = Peers(object())  # type: ignore[arg-type]  # only asked for by the two functions below
    monkeypatch.setattr("torch.distributed.get_world_size", lambda _: 3)
    rows = []
    for rank in range(3):
        monkeypatch.setattr("torch.distributed.get_rank", lambda _, rank=rank: rank)
        rows.append(list(range(10))[peers.part(10)])
    assert rows == [[0, 1, 2], [3, 4, 5], [6, 7, 8, 9]]


def test_batches_too_small_to_share_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    image_NHWC, label_N = colour_images(40)
    monkeypatch.setattr(Peers, "size", property(lambda _: 30))
    with pytest.raises(ValueError, match="batches of 40 are too small for 30 processes"):
        run_training(image_NHWC, label_N, CONFIG)
