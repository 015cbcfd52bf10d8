"""How well the score of each verdict finds its kind, on a set with every kind planted.

    python -m benchmarks.detection.verdicts [--images 2000] [--noise 0.1] [--seeds 0,1,2]
        [--cache FOLDER] [--again] [--out docs/results/verdicts]

Preset `quick`: features of the frozen network, which `--cache` keeps, then its head. CIFAR-10 and
Fashion-MNIST as `benchmarks.images` finds them, what is planted as
`benchmarks.detection.planted` says.
ROC-AUC of each score for its kind among all samples, and among those of no other kind; how many of
each kind got which verdict. The goal is .85 for each. One JSON a seed; seeds that are done are not
done again.
"""

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

import ml
from benchmarks.detection.planted import Planted, plant
from benchmarks.harness import RESULTS, keep_cell
from benchmarks.images import NUM_CLASSES
from ml.types import BoolArray, FeatureArray, FloatArray, ImageArray

_SCORES = {
    "off_topic": "off_topic",
    "mislabeled": "p_mislabeled",
    "duplicate": "duplicate",
    "ambiguous": "ambiguous",
}
_GOAL = 0.85


def main() -> None:
    """Measure what is missing and print it."""
    options = _options()
    for seed in map(int, options.seeds.split(",")):
        settings = {"num_images": options.images, "noise": options.noise, "seed": seed}
        settings |= {"epochs": options.epochs, "goal": _GOAL}
        result = keep_cell(
            options.out / f"seed{seed}.json", settings, partial(measure, seed, options),
            again=options.again,
        )  # fmt: skip
        print(f"seed {seed}" + " " * 12 + "all  without other kinds")
        for kind, found in result["roc_auc"].items():
            print(f"{kind:12} {found['all']:9.3f} {found['without_other_kinds']:9.3f}")


def measure(seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of one seed."""
    planted = plant(options.images, options.noise, np.random.default_rng(seed))
    features = _features(planted, seed, options)
    findings = _audit(planted, features, seed, options.epochs)
    scores = findings.signals | {"p_mislabeled": findings.p_mislabeled}
    return {
        "num_samples": len(planted.given),
        "num_planted": {kind: int(is_it.sum()) for kind, is_it in planted.kinds.items()},
        "roc_auc": {
            kind: _separation(kind, scores[name], planted.kinds) for kind, name in _SCORES.items()
        },
        "verdicts": {
            kind: _counted(findings, is_it)
            for kind, is_it in {**planted.kinds, "ordinary": _ordinary(planted.kinds)}.items()
        },
    }


def _audit(planted: Planted, features: FeatureArray, seed: int, epochs: int | None) -> ml.Findings:
    """Train the head of `quick` and judge; pixels were not compared."""
    given = {} if epochs is None else {"epochs": epochs}
    state = ml.train(
        features, planted.given, num_classes=NUM_CLASSES,
        config=ml.make_config("quick", seed=seed, **given), device=torch.device("cpu"),
        on_epoch=lambda *_: None, on_batch=lambda _: None,
    )  # fmt: skip
    return ml.score(state, planted.given, features.mean(axis=1, dtype=np.float32))


def _separation(kind: str, score: FloatArray, kinds: dict[str, BoolArray]) -> dict[str, float]:
    """Return ROC-AUC among all samples, and among those that are of no other kind."""
    is_it = kinds[kind]
    chosen = is_it | _ordinary(kinds)
    return {
        "all": float(roc_auc_score(is_it, score)),
        "without_other_kinds": float(roc_auc_score(is_it[chosen], score[chosen])),
    }


def _ordinary(kinds: dict[str, BoolArray]) -> BoolArray:
    return np.asarray(~np.any(list(kinds.values()), axis=0), dtype=np.bool_)


def _counted(findings: ml.Findings, rows: BoolArray) -> dict[str, int]:
    names, counts = np.unique(findings.verdict[rows], return_counts=True)
    return dict(zip(names.tolist(), counts.tolist(), strict=True))


def _features(planted: Planted, seed: int, options: argparse.Namespace) -> FeatureArray:
    """Return what the frozen network sees; the photos are the same for every seed."""
    num_photos, cache = options.images, options.cache
    files = f"photos-{num_photos}.npy", f"planted-{num_photos}-{options.noise:g}-{seed}.npy"
    parts = planted.images[:num_photos], planted.images[num_photos:]
    return np.concatenate(
        [_seen(part, cache and cache / file) for part, file in zip(parts, files, strict=True)]
    )


def _seen(images: ImageArray, file: Path | None) -> FeatureArray:
    """Return the features of images, from the cache where they are there."""
    if file and file.exists():
        return np.asarray(np.load(file, allow_pickle=False), dtype=np.float16)
    config = ml.make_config("quick")
    features = np.empty((len(images), ml.NUM_VIEWS, ml.num_features(config)), dtype=np.float16)
    ml.extract_features(
        images, config, device=torch.device("cpu"), out=features, on_batch=lambda _: None
    )
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, features)
    return features


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2_000)
    parser.add_argument("--noise", type=float, default=0.1)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--epochs", type=int, help="of the head; 25 by default")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULTS / "verdicts")
    return parser.parse_args()


if __name__ == "__main__":
    main()
