"""The delivered files of every preset, run by the guide's own code in a process without ours."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

import ml
from ml.types import ImageArray
from tests.ml.support import run_training
from worker.stages.train.data import TrainingData
from worker.stages.train.results import CARD, TORCHSCRIPT, WEIGHTS, write_model

GUIDE = (Path(__file__).resolve().parents[4] / "docs" / "guide" / "model.md").read_text()
NUM_TRAIN, NUM_NEW = 30, 5
CPU = torch.device("cpu")
SIDES = {"standard": 8, "paper": 66, "quick": 40}
"""Of the stored images; `paper` and `quick` see them at another size."""
EPOCHS = {"standard": 8, "paper": 3, "quick": 8}
RUN = """
import json, sys
from importlib import import_module
sys.path[:0] = [sys.argv[1]]
found = {}
for form in ("torchscript", "onnx", "safetensors"):
    classes, probabilities = import_module("run_" + form).predict(sys.argv[2], sys.argv[3:])
    found[form] = [classes, probabilities.tolist()]
ours = {name.split(".")[0] for name in sys.modules} & {"app", "ml", "worker", "labelaudit"}
print(json.dumps([found, sorted(ours)]))
"""


@pytest.fixture(scope="module")
def guide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the guide's code into the files that it names."""
    folder = tmp_path_factory.mktemp("guide")
    for name, code in re.findall(r"```python\n# (\w+\.py)\n(.*?)```", GUIDE, re.DOTALL):
        (folder / name).write_text(code)
    return folder


def digits(side: int) -> tuple[ImageArray, list[int]]:
    """Return real handwritten digits of this side, and their labels from 0 to 4."""
    bunch = load_digits(n_class=5)
    grey = (bunch.images[: NUM_TRAIN + NUM_NEW] * 15.9).astype(np.uint8)
    pictures = [Image.fromarray(image).convert("RGB").resize((side, side)) for image in grey]
    return np.stack([np.asarray(picture) for picture in pictures]), bunch.target.tolist()


def trained(preset: str, folder: Path) -> tuple[ml.TrainState, TrainingData]:
    """Train a preset a little, as the trainer does."""
    images, labels = digits(SIDES[preset])
    given = np.array(labels[:NUM_TRAIN])
    none = np.zeros(NUM_TRAIN, dtype=bool)
    data = TrainingData(
        images=images[:NUM_TRAIN], labels=given, given_labels=given,
        is_train=np.ones(NUM_TRAIN, dtype=bool), is_copy=none, is_verified=none, is_excluded=none,
        picture=np.arange(NUM_TRAIN),
        classes=["null", "eins", "zwei", "drei", "vier"], cache=folder, scratch=folder,
    )  # fmt: skip
    smaller = {"width": 4, "ema_decay": 0.9} if preset == "paper" else {}
    config = ml.make_config(preset, epochs=EPOCHS[preset], batch_size=10, **smaller)
    inputs: Any = images[:NUM_TRAIN]
    if config.frozen:
        inputs = np.zeros((NUM_TRAIN, ml.NUM_VIEWS, ml.num_features(config)), dtype=np.float16)
        ml.extract_features(data.images, config, device=CPU, out=inputs, on_batch=lambda _: None)
    elif SIDES[preset] > ml.LARGEST_TRAINED:
        inputs = np.zeros((NUM_TRAIN, 64, 64, 3), dtype=np.uint8)
        ml.resize_images(data.images, out=inputs)
    return run_training(inputs, given, config, num_classes=5)[-1], data


@pytest.fixture(scope="module", params=["standard", "paper", "quick"])
def delivered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the model's files, and images that it has never seen."""
    folder = tmp_path_factory.mktemp(request.param)
    state, data = trained(request.param, folder)
    assert write_model(state, data, {"metrics": {}, "run": {}}, folder) == []
    new, _ = digits(SIDES[request.param])
    for number, image in enumerate(new[NUM_TRAIN:]):
        Image.fromarray(image).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[ml.TrainState, TrainingData]:
    return trained("standard", tmp_path_factory.mktemp("run"))


def run_apart(guide: Path, folder: Path) -> dict[str, tuple[list[str], list[list[float]]]]:
    """Predict by each form in a process that finds none of our code, and has loaded none."""
    images = [str(path) for path in sorted(folder.glob("*.png"))]
    done = subprocess.run(
        [sys.executable, "-I", "-c", RUN, str(guide), str(folder), *images],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found, ours = json.loads(done.stdout)
    assert ours == []
    return {form: tuple(answer) for form, answer in found.items()}


class TestForms:
    def test_agree_on_real_images_without_our_code(self, delivered: Path, guide: Path) -> None:
        card = json.loads((delivered / CARD).read_text())
        found = run_apart(guide, delivered)
        assert sorted(found) == ["onnx", "safetensors", "torchscript"]
        expected = np.array(found["safetensors"][1])
        for classes, values in found.values():
            probabilities = np.array(values)
            assert classes == card["classes"] == ["null", "eins", "zwei", "drei", "vier"]
            assert probabilities.shape == (NUM_NEW, 5)
            assert np.abs(probabilities.sum(axis=1) - 1).max() < 1e-5
            assert np.abs(probabilities - expected).max() < 1e-4
        # A network that gives every image the same would agree with anything.
        assert np.ptp(expected, axis=0).max() > 0.01


class TestWriteModel:
    def test_delivers_the_averaged_network_as_it_was_measured(
        self, run: tuple[ml.TrainState, TrainingData], tmp_path: Path
    ) -> None:
        state, data = run
        write_model(state, data, {}, tmp_path)
        card = json.loads((tmp_path / CARD).read_text())
        weights, _ = ml.export_model(state, data.classes)
        with pytest.warns(FutureWarning, match="deprecated"):
            loaded: Any = torch.jit.load(tmp_path / TORCHSCRIPT)  # type: ignore[no-untyped-call] # torch's
        scripted = loaded.state_dict()
        for name, tensor in weights.items():
            assert torch.equal(scripted[f"network.{name}"], tensor), name
        images = torch.from_numpy(np.array(data.images)).permute(0, 3, 1, 2)
        with torch.no_grad():
            predicted = ml.load_delivered(card, weights)(images).argmax(dim=1).numpy()
        accuracy = ml.evaluate(state, data.images, data.labels, device=CPU).accuracy
        assert np.mean(predicted == data.labels) == pytest.approx(accuracy, abs=0.02)

    def test_says_how_to_install_what_is_missing(
        self,
        run: tuple[ml.TrainState, TrainingData],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("ml.delivered.find_spec", lambda _: None)
        [reason] = write_model(*run, {}, tmp_path)
        assert reason.startswith("model.onnx was not made: ")
        assert "pip install 'labelaudit[onnx]'" in reason
        assert sorted(path.name for path in tmp_path.iterdir()) == [CARD, WEIGHTS, TORCHSCRIPT]
