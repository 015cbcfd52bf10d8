"""What `benchmarks.training.rivals` compares; each side is run by a process of its own.

Both cross-validations hold out the same fifths. Neither is asked for more than its predictions.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

import ml
from benchmarks.images import NUM_CLASSES, Pictures, cifar10, fashion_mnist
from benchmarks.training.plain_loop import PlainLoop
from ml.device import deterministic
from ml.noise import inject_noise, parse_noise
from ml.training.checkpoint import network_of
from ml.training.data import make_source
from ml.training.passes import num_tracking_batches, predict
from ml.types import BoolArray, FloatArray, ImageArray, IntArray

NUM_FOLDS = 5
FILTERS = ("prune_by_noise_rate", "confident_learning", "both")
"""Of cleanlab; the first is its default."""
_CPU = torch.device("cpu")
_SEED = 0


class Cell(NamedTuple):
    """Images and the kind of noise that is planted in their labels."""

    pictures: Callable[[int], Pictures]
    noise: str
    rate: float


CELLS = {
    "cifar10-uniform20": Cell(cifar10, "uniform-others", 0.2),
    "cifar10-uniform50": Cell(cifar10, "uniform-others", 0.5),
    "cifar10-asymmetric40": Cell(cifar10, "asymmetric-cifar10", 0.4),
    "fashion-mnist-uniform30": Cell(fashion_mnist, "uniform-others", 0.3),
}


class Task(NamedTuple):
    """What every side is given, and the truth that none is."""

    images: ImageArray
    given: IntArray
    true: IntArray
    is_wrong: BoolArray


def load_task(name: str, num_images: int) -> Task:
    """Return the task of a cell, the same in every process."""
    cell = CELLS[name]
    images, true = cell.pictures(num_images)
    noise = parse_noise(cell.noise, cell.rate)
    noisy = inject_noise(true, noise, np.random.default_rng(_SEED), NUM_CLASSES)
    return Task(images, noisy.labels, true, noisy.is_wrong)


def run_ours(task: Task, epochs: int) -> dict[str, Any]:
    """Train once by `standard` and judge."""
    started = time.perf_counter()
    config = ml.make_config("standard", epochs=epochs, seed=_SEED)
    state = _train(task.images, task.given, config, lambda _: None)
    features = ml.trained_features(state, task.images, device=_CPU)
    findings = ml.score(state, task.given, features)
    seconds = time.perf_counter() - started
    quality = _quality(findings.p_mislabeled, findings.flagged, task.is_wrong)
    return {"seconds": seconds, "quality": quality}


def run_folds(task: Task, epochs: int) -> dict[str, Any]:
    """Train five times by our own trainer, plainly; judge by confident learning.

    Our trainer looks at every sample after each epoch, which cross-validation needs only once: the
    time without that is told, too.
    """
    started = time.perf_counter()
    config = ml.make_config("standard", method="ce", epochs=epochs, seed=_SEED)
    prob_NC = np.empty((len(task.given), NUM_CLASSES))
    tracking_seconds = 0.0
    for kept, held in _folds(task.given):
        clock = _TrackingClock(len(kept))
        state = _train(task.images[kept], task.given[kept], config, clock.on_batch)
        source = make_source(task.images[held], state.data, state.config, _CPU)
        with deterministic(_CPU):
            log_prob_MC = predict(network_of(state, state.average, _CPU), source)
        prob_NC[held] = np.exp(log_prob_MC.double().numpy())
        tracking_seconds += clock.seconds
    prob_NC /= prob_NC.sum(axis=1, keepdims=True)
    trained = time.perf_counter() - started
    judged = _confident_learning(prob_NC, task)
    differs_N = prob_NC.argmax(axis=1) != task.given
    return {
        **judged,
        "argmax": _quality(differs_N.astype(np.float64), differs_N, task.is_wrong),
        "accuracy": float((prob_NC.argmax(axis=1) == task.true).mean()),
        "seconds": trained + judged["judging_seconds"],
        "tracking_seconds": tracking_seconds,
    }


def run_plain(task: Task, epochs: int) -> dict[str, Any]:
    """Train the first of the five by a plain loop in float32, and predict what it holds out."""
    started = time.perf_counter()
    kept, held = next(_folds(task.given))
    config = ml.make_config("standard", method="ce", epochs=epochs, seed=_SEED)
    loop = PlainLoop(task.images[kept], task.given[kept], config, num_classes=NUM_CLASSES)
    loop.train()
    prob_MC = loop.predict(task.images[held])
    return {
        "fold_seconds": time.perf_counter() - started,
        "accuracy": float((prob_MC.argmax(axis=1) == task.true[held]).mean()),
    }


SIDES: dict[str, Callable[[Task, int], dict[str, Any]]] = {
    "ours": run_ours, "folds": run_folds, "plain": run_plain,
}  # fmt: skip


class _TrackingClock:
    """Adds up how long the last epochs' looks at every sample took, but for the fit after them."""

    def __init__(self, num_samples: int) -> None:
        self.seconds = 0.0
        self._num_batches = num_tracking_batches(num_samples)
        self._began = 0.0

    def on_batch(self, progress: ml.BatchProgress) -> None:
        """Note where a look begins and ends."""
        if progress.batch == progress.num_batches - self._num_batches:
            self._began = time.perf_counter()
        elif progress.batch == progress.num_batches:
            self.seconds += time.perf_counter() - self._began


def _train(
    images: ImageArray,
    label_N: IntArray,
    config: ml.TrainConfig,
    on_batch: Callable[[ml.BatchProgress], None],
) -> ml.TrainState:
    return ml.train(
        images, label_N, num_classes=NUM_CLASSES, config=config, device=_CPU,
        on_epoch=lambda *_: None, on_batch=on_batch,
    )  # fmt: skip


def _folds(given_N: IntArray) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield the rows that are kept and those that are held out."""
    splitter = StratifiedKFold(NUM_FOLDS, shuffle=True, random_state=_SEED)
    yield from splitter.split(np.zeros(len(given_N)), given_N)


def _confident_learning(prob_NC: FloatArray, task: Task) -> dict[str, Any]:
    """Return quality and time of its default, and the quality of its other filters."""
    started = time.perf_counter()
    score_N = 1.0 - get_label_quality_scores(task.given, prob_NC)
    flagged_N = _issues(prob_NC, task.given, FILTERS[0])
    seconds = time.perf_counter() - started
    others = {name: _issues(prob_NC, task.given, name) for name in FILTERS[1:]}
    return {
        "judging_seconds": seconds,
        "quality": _quality(score_N, flagged_N, task.is_wrong),
        "other_filters": {
            name: _quality(score_N, found_N, task.is_wrong) for name, found_N in others.items()
        },
    }


def _issues(prob_NC: FloatArray, given_N: IntArray, name: str) -> BoolArray:
    issues = find_label_issues(given_N, prob_NC, filter_by=name, n_jobs=1)
    return np.asarray(issues, dtype=np.bool_)


def _quality(score_N: FloatArray, flagged_N: BoolArray, is_wrong_N: BoolArray) -> dict[str, float]:
    num_hits, num_flagged = int((flagged_N & is_wrong_N).sum()), int(flagged_N.sum())
    return {
        "f1": 2 * num_hits / max(num_flagged + int(is_wrong_N.sum()), 1),
        "precision": num_hits / max(num_flagged, 1),
        "recall": num_hits / max(int(is_wrong_N.sum()), 1),
        "roc_auc": float(roc_auc_score(is_wrong_N, score_N)),
    }
