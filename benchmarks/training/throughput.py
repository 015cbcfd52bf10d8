"""A bootstrapping epoch (m-dyr-h) of our trainer against the published loop, same network and data.

    python -m benchmarks.training.throughput [--part speed|detection|all] [--networks resnet9,...]
        [--runs 3] [--batches 20] [--out docs/results/throughput.json]

Speed: each side is a process of its own, ours with the environment that a worker gives its
trainers. They take turns, epoch by epoch, and an epoch is everything: batches, tracking pass, noise
model, checkpoint. Both get batches of 128. Detection: both train the small ResNet on the same wrong
labels for the same number of epochs, each as it is meant to be (ours: `standard`, the published
loop: its schedule scaled); ROC-AUC of the wrong labels. A part that is run replaces its old result.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import IO, Any

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

import ml
from benchmarks.harness import RESULTS, facts, keep
from benchmarks.images import NUM_CLASSES, Pictures, cifar10
from benchmarks.training.published_loop import AugmentedImages, PublishedLoop
from ml.noise import inject_noise, parse_noise
from ml.training.schedule import PAPER_MIXING
from worker.processes.spawn import child_environment

_OUT = RESULTS / "throughput.json"
_WIDTHS = {"resnet9": 32, "preact-resnet18": 64}
_BATCH_SIZE = 128
_NOISE = 0.3
_GO, _READY = "go", "ready"
_SIDES = ("published", "ours")


def main() -> None:
    """Run what is asked for, print it and put it into the result."""
    options = _options()
    if options.side:
        _SIDE[options.side](options)
        return
    result = json.loads(options.out.read_text()) if options.out.exists() else {}
    if options.part in {"speed", "all"}:
        for network in options.networks.split(","):
            origin = facts(options)
            result.setdefault("speed", {})[network] = speed(network, options) | origin
    if options.part in {"detection", "all"}:
        origin = facts(options)
        result["detection"] = detection(options) | origin
    keep(result, options.out)
    print(json.dumps(result, indent=1))


def speed(network: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return the images per second of both sides, which take turns."""
    sides = {side: _start(side, network, options) for side in _SIDES}
    for process in sides.values():
        assert _answer(process) == _READY
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(options.runs):
        for side, process in sides.items():
            assert process.stdin is not None
            process.stdin.write(f"{_GO}\n")
            process.stdin.flush()
            seconds[side].append(float(_answer(process)))
    for process in sides.values():
        process.communicate()
    num_images = options.batches * _BATCH_SIZE
    rates = {side: [num_images / each for each in runs] for side, runs in seconds.items()}
    return {
        "num_images": num_images,
        "batch_size": _BATCH_SIZE,
        "threads": torch.get_num_threads(),
        "images_per_second": {side: _spread(each) for side, each in rates.items()},
        "ratio": _spread([a / b for a, b in zip(rates["ours"], rates["published"], strict=True)]),
    }


def _spread(values: list[float]) -> dict[str, Any]:
    return {"min": min(values), "median": median(values), "max": max(values), "runs": values}


def _start(side: str, network: str, options: argparse.Namespace) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "benchmarks.training.throughput", "--side", side]
    command += ["--networks", network, "--batches", str(options.batches)]
    command += ["--runs", str(options.runs)]
    given = {name: os.environ[name] for name in ("CIFAR10_ZIP",) if name in os.environ}
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=dict(os.environ) if side == "published" else child_environment(None) | given,
    )  # fmt: skip


def _answer(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    assert line, "a side has ended early"
    return line


def _next_turn() -> None:
    """Wait for one's turn; end where there is none any more."""
    stdin: IO[str] = sys.stdin
    if stdin.readline().strip() != _GO:
        sys.exit()


def run_ours(options: argparse.Namespace) -> None:
    """Train with our loop; one epoch of bootstrapping a turn."""
    data = cifar10(options.batches * _BATCH_SIZE)
    config = ml.make_config(
        "standard",
        schedule="paper",
        architecture=options.networks,
        width=_WIDTHS[options.networks],
        batch_size=_BATCH_SIZE,
        epochs=2 * options.runs + 2,
    )
    first = config.plan().bootstrap_from

    def on_epoch(_: ml.TrainState, report: ml.EpochReport) -> None:
        if report.epoch >= first - 1:
            print(report.seconds if report.epoch >= first else _READY, flush=True)
            _next_turn()

    _train(data, _noisy(data)[0], config, on_epoch)


def run_published(options: argparse.Namespace) -> None:
    """Train with the published loop; one epoch of bootstrapping a turn."""
    data = cifar10(options.batches * _BATCH_SIZE)
    loop = _published(data, _noisy(data)[0], options.networks)
    loop.mixup_epoch()
    loop.track()
    print(_READY, flush=True)
    while True:
        _next_turn()
        started = time.perf_counter()
        loop.bootstrapping_epoch()
        loop.track()
        print(time.perf_counter() - started, flush=True)


def detection(options: argparse.Namespace) -> dict[str, Any]:
    """Return how well both find the same wrong labels with the small ResNet."""
    data = cifar10(options.images)
    labels, is_wrong = _noisy(data)
    config = ml.make_config("standard", epochs=options.epochs)
    started = time.perf_counter()
    state = _train(data, labels, config, lambda _state, _report: None)
    ours_seconds = time.perf_counter() - started
    findings = ml.score(state, labels)
    started = time.perf_counter()
    loop = _published(data, labels, "resnet9")
    run_published_schedule(loop, options.epochs)
    posterior = loop.posterior(loop.losses).numpy()
    return {
        "num_images": len(labels),
        "epochs": options.epochs,
        "actual_noise": float(is_wrong.mean()),
        "ours": {
            "roc_auc": float(roc_auc_score(is_wrong, findings.p_mislabeled)),
            "roc_auc_last_loss": float(roc_auc_score(is_wrong, state.history.last_loss.numpy())),
            "seconds": ours_seconds,
        },
        "published": {
            "roc_auc": float(roc_auc_score(is_wrong, posterior)),
            "roc_auc_last_loss": float(roc_auc_score(is_wrong, loop.losses.numpy())),
            "seconds": time.perf_counter() - started,
        },
    }


def run_published_schedule(loop: PublishedLoop, epochs: int) -> None:
    """Train with the published schedule, scaled to a number of epochs."""
    plan = PAPER_MIXING.scaled(epochs)
    for epoch in range(1, epochs + 1):
        loop.set_rate(plan.learning_rate_at(epoch, 0.0, 0.1))
        if epoch < plan.bootstrap_from:
            loop.mixup_epoch()
        else:
            loop.bootstrapping_epoch()
        loop.track()


def _published(data: Pictures, labels: np.ndarray, architecture: str) -> PublishedLoop:
    network = ml.build_network(
        architecture, NUM_CLASSES, _WIDTHS[architecture], image_size=data.images.shape[1:3]
    )
    return PublishedLoop(network, AugmentedImages(data.images, labels), batch_size=_BATCH_SIZE)


def _train(data: Pictures, labels: np.ndarray, config: ml.TrainConfig, on_epoch: Any) -> Any:
    return ml.train(
        data.images, labels, num_classes=NUM_CLASSES, config=config, device=torch.device("cpu"),
        on_epoch=on_epoch, on_batch=lambda _: None,
    )  # fmt: skip


def _noisy(data: Pictures) -> tuple[np.ndarray, np.ndarray]:
    noise = parse_noise("uniform-others", _NOISE)
    noisy = inject_noise(data.labels, noise, np.random.default_rng(0), NUM_CLASSES)
    return noisy.labels, noisy.is_wrong


_SIDE = {"ours": run_ours, "published": run_published}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", default="all", choices=("speed", "detection", "all"))
    parser.add_argument("--networks", default=",".join(_WIDTHS))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--images", type=int, default=5_000, help="of the detection part")
    parser.add_argument("--epochs", type=int, default=20, help="of the detection part")
    parser.add_argument("--side", choices=_SIDES, help="internal: be one of the two processes")
    parser.add_argument("--out", type=Path, default=_OUT)
    return parser.parse_args()


if __name__ == "__main__":
    main()
