"""What decisions teach: calibration, precision of the flags, and the stop rule, against the truth.

    python -m benchmarks.detection.review_learning [--per-class 2000] [--num 10000] [--reviews 50]
        [--kinds uniform-others:0.1,instance:0.2] [--cache FOLDER] [--out FILE]

Takes the class-folder zip of CIFAR-10 (`CIFAR10_ZIP`, or `shared/data/cifar10-train.zip` beside
the project). For each kind of noise `num` of the first images of each class are drawn, with the
place of the kind in the list as seed, labels are planted wrong, and the head of the `quick`
preset is trained. `--cache` keeps features and the audits' probabilities for the next run. Then
reviewers are simulated, who know the truth: each has four fifths of the samples, decides on 100
drawn at random and on some worst first. After 200 decisions calibration error (15 bins) and
precision at the flag threshold are compared with those before; after 100 random ones and 100 to
2,000 worst first, the number of wrong labels that are left is compared with its interval. Writes
JSON and, beside it, a table as Markdown.
"""

import argparse
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

import ml
from benchmarks.harness import facts, keep
from benchmarks.images import NUM_CLASSES, cifar10
from benchmarks.quality import calibration_error
from ml.noise.names import parse_noise
from ml.types import BoolArray, FeatureArray, FloatArray, IntArray

NUM_RANDOM = 100
NUM_WORST = 100
MOST_WORST = 2_000
FLAG_ABOVE = 0.5
_HEADER = (
    "| noise | calibration error before → after 200 decisions | better in | precision of the "
    "flags | better in | recall of the flags | wrong labels left: truth, estimate, mean "
    "interval | by p alone | interval holds |"
)


def main() -> None:
    """Train for each kind of noise, review, compare."""
    options = _options()
    origin = facts(options)
    kinds = options.kinds.split(",")
    with tempfile.TemporaryDirectory() as folder:
        options.cache = options.cache or Path(folder)
        load(options.per_class, options.cache)  # once, with all cores, not in each process
        with ProcessPoolExecutor(len(kinds), mp_context=get_context("spawn")) as pool:
            rows = list(pool.map(partial(run, options=options), kinds, range(len(kinds))))
    result = {
        **origin,
        "per_class": options.per_class,
        "num": options.num,
        "num_reviews": options.reviews,
        "rows": rows,
    }
    print(table(result))
    if options.out:
        keep(result, options.out)
        options.out.with_suffix(".md").write_text(table(result))


def run(kind: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Return figures of one kind of noise, means over the reviews."""
    torch.set_num_threads(1)
    started = time.perf_counter()
    p, is_wrong = cached_audit(kind, seed, options)
    reviews = [review(p, is_wrong, seed) for seed in range(options.reviews)]
    numbers = {name: float(np.mean([each[name] for each in reviews])) for name in reviews[0]}
    better = np.mean([each["ece_after"] < each["ece_before"] for each in reviews])
    sharper = np.mean([each["precision_after"] > each["precision_before"] for each in reviews])
    return {
        "noise": kind,
        "actual_noise": float(is_wrong.mean()),
        **numbers,
        "share_with_better_ece": float(better),
        "share_with_better_precision": float(sharper),
        "seconds": time.perf_counter() - started,
    }


def cached_audit(kind: str, seed: int, options: argparse.Namespace) -> tuple[FloatArray, BoolArray]:
    """Return what `audit` does, from the cache where it is there."""
    name = f"{kind.replace(':', '-')}-{seed}-{options.num}.npz"
    file = options.cache / name
    if file.exists():
        with np.load(file, allow_pickle=False) as kept:
            return kept["p"], kept["wrong"]
    p, is_wrong = audit(kind, seed, options)
    np.savez(file, p=p, wrong=is_wrong)
    return p, is_wrong


def audit(kind: str, seed: int, options: argparse.Namespace) -> tuple[FloatArray, BoolArray]:
    """Train on noisy labels; return the probability that each is wrong, and whether it is."""
    features, truth = load(options.per_class, options.cache)
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.permutation(len(truth))[: options.num])
    features, truth = np.ascontiguousarray(features[chosen]), truth[chosen]
    name, rate = kind.split(":")
    seen = features.mean(axis=1)
    noise = parse_noise(name, float(rate), features_ND=seen.astype(np.float64))
    noisy = ml.inject_noise(truth, noise, rng, NUM_CLASSES)
    state = ml.train(
        features,
        noisy.labels,
        num_classes=NUM_CLASSES,
        config=ml.make_config("quick", seed=seed),
        device=torch.device("cpu"),
        on_epoch=lambda *_: None,
        on_batch=lambda _: None,
    )
    return ml.score(state, noisy.labels, seen).p_mislabeled, noisy.is_wrong


def review(p: FloatArray, is_wrong: BoolArray, seed: int) -> dict[str, float]:
    """Simulate one reviewer on four fifths of the samples."""
    rng = np.random.default_rng(seed)
    mine = rng.permutation(len(p))[: len(p) * 4 // 5]
    p, is_wrong = p[mine], is_wrong[mine]
    by_chance = np.zeros(len(p), dtype=np.bool_)
    by_chance[rng.permutation(len(p))[:NUM_RANDOM]] = True
    decided = by_chance | worst(p, by_chance, NUM_WORST)
    learned = ml.recalibrate(p, is_wrong, decided).apply(p)
    longer = by_chance | worst(p, by_chance, int(rng.integers(NUM_WORST, MOST_WORST)))
    num_left = int((is_wrong & ~longer).sum())
    left = ml.estimate_remaining(ml.recalibrate(p, is_wrong, by_chance), p, ~longer)
    return {
        "ece_before": calibration_error(p, is_wrong),
        "ece_after": calibration_error(learned, is_wrong),
        "precision_before": float(is_wrong[p > FLAG_ABOVE].mean()),
        "precision_after": float(is_wrong[learned > FLAG_ABOVE].mean()),
        "recall_before": float((is_wrong & (p > FLAG_ABOVE)).sum() / is_wrong.sum()),
        "recall_after": float((is_wrong & (learned > FLAG_ABOVE)).sum() / is_wrong.sum()),
        "num_left": num_left,
        "left_low": left.low,
        "left_estimate": left.estimate,
        "left_high": left.high,
        "left_by_p": float(p[~longer].sum()),
        "interval_holds": float(left.low <= num_left <= left.high),
    }


def worst(p: FloatArray, taken: BoolArray, count: int) -> BoolArray:
    """Return the worst samples that are not taken yet."""
    chosen = np.zeros(len(p), dtype=np.bool_)
    order = np.argsort(-p, kind="stable")
    chosen[order[~taken[order]][:count]] = True
    return chosen


def load(per_class: int, cache: Path) -> tuple[FeatureArray, IntArray]:
    """Return features and true labels, from the cache where they are there."""
    files = [cache / f"{name}-{per_class}.npy" for name in ("features", "labels")]
    if all(file.exists() for file in files):
        features, labels = (np.load(file, allow_pickle=False) for file in files)
        return features, labels.astype(np.int64)
    images, labels = cifar10(per_class * NUM_CLASSES)
    config = ml.make_config("quick")
    features = np.empty((len(images), ml.NUM_VIEWS, ml.num_features(config)), dtype=np.float16)
    ml.extract_features(
        images, config, device=torch.device("cpu"), out=features, on_batch=lambda _: None
    )
    for file, array in zip(files, (features, labels), strict=True):
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, array)
    return features, labels


def table(result: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    lines = [
        "# What decisions teach (CIFAR-10 with planted wrong labels)",
        "",
        "`python -m benchmarks.detection.review_learning`, "
        f"{result['num']:,} images, preset `quick`, {result['num_reviews']} "
        f"simulated reviews for each kind of noise; commit {result['commit']}"
        + (" with uncommitted changes" if result["uncommitted_changes"] else "")
        + f", {result['processor']}, {result['cores']} cores.",
        "",
        _HEADER,
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['noise']} ({row['actual_noise']:.1%} wrong) "
        f"| {row['ece_before']:.4f} → {row['ece_after']:.4f} | {row['share_with_better_ece']:.0%} "
        f"| {row['precision_before']:.3f} → {row['precision_after']:.3f} "
        f"| {row['share_with_better_precision']:.0%} "
        f"| {row['recall_before']:.3f} → {row['recall_after']:.3f} "
        f"| {row['num_left']:.0f}, {row['left_estimate']:.0f}, "
        f"{row['left_low']:.0f} to {row['left_high']:.0f} | {row['left_by_p']:.0f} "
        f"| {row['interval_holds']:.0%} |"
        for row in result["rows"]
    ]
    return "\n".join(lines) + "\n"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kinds = (
        "uniform-others:0.1,asymmetric-cifar10:0.3,instance:0.2,uniform-others:0.3,"
        "uniform-others:0.03"
    )
    parser.add_argument("--kinds", default=kinds)
    parser.add_argument("--per-class", type=int, default=2_000)
    parser.add_argument("--num", type=int, default=10_000)
    parser.add_argument("--reviews", type=int, default=50)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
