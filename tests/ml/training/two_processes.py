"""What test_peers has two processes do: `torchrun --nproc-per-node 2 -m … OUT`."""

import sys
from contextlib import nullcontext
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from torch import distributed

import ml
from ml.methods import get_method
from ml.training.label_weights import LabelWeights
from ml.training.learner import Learner
from ml.training.peers import Peers
from ml.training.sources import make_source
from ml.training.start import data_facts, initial_state
from ml.training.step import EpochInput, batch_loss
from tests.ml.support import colour_images, with_wrong_labels

NUM_SAMPLES, NUM_WRONG, NUM_CLASSES = 211, 50, 3
DEVICE = torch.device("cpu")
CONFIG = ml.TrainConfig(epochs=6, width=4, batch_size=32, learning_rate=0.05, schedule="paper")
Arrays = dict[str, np.ndarray]


def gradients(peers: Peers) -> Arrays:
    """Return the gradients of a bootstrapping batch of 31 samples, batch normalisation frozen."""
    image_NHWC, label_N = colour_images(NUM_SAMPLES)
    facts = data_facts(image_NHWC, label_N, NUM_CLASSES, CONFIG)
    state = initial_state(CONFIG, facts)
    learner = Learner.restore(state, DEVICE, peers)
    learner.network.eval()
    given = EpochInput(
        config=CONFIG,
        method=get_method("m-dyr-h"),
        epoch=2,
        temperature=1.0,
        source=make_source(image_NHWC, facts, CONFIG, DEVICE),
        labels=torch.from_numpy(label_N),
        weights=LabelWeights.of(state, torch.zeros(NUM_SAMPLES, dtype=torch.bool)),
        predictions=state.history.mean_log_prob,
        slice_size=None,
    )
    with mock.patch("ml.training.step.autocast", return_value=nullcontext()):
        torch.autograd.backward(batch_loss(given, learner, 0, np.arange(31)))
    peers.sum_gradients(learner.network)
    return {
        name: p.grad.numpy() for name, p in learner.network.named_parameters() if p.grad is not None
    }


def audit(group: distributed.ProcessGroup | None) -> tuple[ml.TrainState, Arrays]:
    """Train on wrong labels; return the state, and what an audit would say."""
    image_NHWC, truth_N = colour_images(NUM_SAMPLES)
    given_N = with_wrong_labels(truth_N, num_wrong=NUM_WRONG, num_classes=NUM_CLASSES)
    beats: list[ml.BatchProgress] = []
    state = ml.train(
        image_NHWC,
        given_N,
        num_classes=NUM_CLASSES,
        config=CONFIG,
        device=DEVICE,
        group=group,
        on_epoch=lambda _state, _report: None,
        on_batch=beats.append,
    )
    found = {"p_mislabeled": ml.score(state, given_N).p_mislabeled, "is_wrong": given_N != truth_N}
    assert beats[-1].batch == beats[-1].num_batches
    return state, found


def group_threads() -> list[str]:
    """Return the names of this process's threads that a process group started (Linux only)."""
    names = [task.read_text().strip() for task in Path("/proc/self/task").glob("*/comm")]
    return [name for name in names if "gloo" in name]


def work(out: Path) -> None:
    """Train as one of the processes, and keep what it has got."""
    group = distributed.group.WORLD
    assert group is not None
    state, found = audit(group)
    tensors = {name: tensor.numpy() for name, tensor in state.to_tensors()[0].items()}
    gradient = {f"gradient.{name}": each for name, each in gradients(Peers(group)).items()}
    arrays = tensors | gradient | found
    np.savez(out / f"{distributed.get_rank()}.npz", **arrays)  # type: ignore[arg-type]  # any names


def main() -> None:
    """Be one of the processes."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo")
    out, rank = Path(sys.argv[1]), distributed.get_rank()
    work(out)
    assert group_threads() or sys.platform != "linux", "a group without threads tells nothing"
    distributed.destroy_process_group()
    (out / f"{rank}.threads").write_text("\n".join(group_threads()))


if __name__ == "__main__":
    main()
