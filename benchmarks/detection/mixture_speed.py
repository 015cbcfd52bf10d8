"""How fast a mixture is fitted beside the published recipe, and how often its interval covers.

The recipe is restated here in numpy and scipy: ten iterations over all samples. Ours is the whole
robust fit with its interval. Best of five runs each, one thread.

    OMP_NUM_THREADS=1 python -m benchmarks.detection.mixture_speed
"""

import argparse
import resource
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

import ml
from benchmarks.harness import RESULTS, facts, keep
from ml.types import FloatArray
from tests.ml.mixture.samples import linear_model_draw, ratio_model_draw

_LARGEST_FOR_RECIPE = 1_000_000
_NUM_SAMPLES = 2_000


class Timing(NamedTuple):
    """Seconds of one fit."""

    wall: float
    processor: float


def main() -> None:
    """Print two tables and write two results."""
    options = _options()
    origin = facts(options)
    heads = ("ours s", "(CPU s)", "recipe s", "times", "traced MB", "RSS MB")
    print(f"{'losses':>12}", *(f"{head:>9}" for head in heads))
    sizes = map(int, options.sizes.split(","))
    keep(origin | {"rows": [measure(size) for size in sizes]}, options.out / "mixture-speed.json")
    print(f"\n{'drawn from':16} {'covered':>8}")
    draws = {"ratio model": ratio_model_draw, "linear model": linear_model_draw}
    coverage = [measure_coverage(name, draw, options.draws) for name, draw in draws.items()]
    keep(origin | {"rows": coverage}, options.out / "mixture-coverage.json")


def measure(size: int) -> dict[str, Any]:
    """Time both on float32 losses of two groups, 30 % noisy."""
    rng = np.random.default_rng(0)
    loss_N = linear_model_draw(rng, 0.3, size).astype(np.float32)
    rss_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ours = best_of_five(partial(ml.fit_mixture, loss_N))
    rss = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - rss_before) / 1024.0
    recipe = None
    if size <= _LARGEST_FOR_RECIPE:
        recipe = best_of_five(partial(published_recipe, loss_N))
    row = {
        "num_losses": size,
        "ours_seconds": ours._asdict(),
        "recipe_seconds": recipe._asdict() if recipe else None,
        "times_faster": recipe.wall / ours.wall if recipe else None,
        "peak_traced_megabytes": traced_megabytes(loss_N),
        "rss_growth_megabytes": rss,
    }
    print(
        f"{size:12,} {ours.wall:9.4f} {ours.processor:9.4f} "
        f"{recipe.wall if recipe else np.nan:9.4f} {row['times_faster'] or np.nan:9.1f} "
        f"{row['peak_traced_megabytes']:9.1f} {rss:9.1f}"
    )
    return row


def best_of_five(work: Callable[[], object]) -> Timing:
    """Return the least times; on a busy machine that of the processor says more."""
    walls, processor = [], []
    for _ in range(5):
        started, started_processor = time.perf_counter(), time.process_time()
        work()
        walls.append(time.perf_counter() - started)
        processor.append(time.process_time() - started_processor)
    return Timing(min(walls), min(processor))


def traced_megabytes(loss_N: NDArray[np.float32]) -> float:
    """Return the peak of what a fit allocates."""
    tracemalloc.start()
    ml.fit_mixture(loss_N)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def published_recipe(loss_N: NDArray[np.float32]) -> FloatArray:
    """Fit as the published code does."""
    low, high = np.percentile(loss_N, 5), np.percentile(loss_N, 95)
    x_N = loss_N[(loss_N >= low) & (loss_N <= high)]
    x_N = np.clip((x_N - low) / (high - low + np.float32(1e-6)), 1e-4, 1.0 - 1e-4)
    x_N = x_N.astype(np.float64)
    a, b, weight = np.array([1.0, 2.0]), np.array([2.0, 1.0]), np.array([0.5, 0.5])
    for _ in range(10):
        joint_KN = np.stack([weight[k] * beta.pdf(x_N, a[k], b[k]) for k in (0, 1)])
        joint_KN = np.maximum(joint_KN, 1e-12)
        share_KN = joint_KN / joint_KN.sum(axis=0)
        mean = share_KN @ x_N / share_KN.sum(axis=1)
        variance = (share_KN * (x_N - mean[:, None]) ** 2).sum(axis=1) / share_KN.sum(axis=1)
        a = mean * (mean * (1.0 - mean) / variance - 1.0)
        b = a * (1.0 - mean) / mean
        weight = share_KN.mean(axis=1)
    return np.stack([a, b, weight])


def measure_coverage(
    name: str, draw: Callable[[np.random.Generator, float, int], FloatArray], num_draws: int
) -> dict[str, Any]:
    """Draw noise rates of 0 to 60 % and count the intervals that cover the rate."""
    rng = np.random.default_rng(11)
    num_at_zero = max(num_draws // 10, 1)
    rates = np.where(np.arange(num_draws) < num_at_zero, 0.0, rng.uniform(0, 0.6, num_draws))
    covered, single = [], []
    for rate in rates:
        mixture = ml.fit_mixture(draw(rng, rate, _NUM_SAMPLES))
        low, high = mixture.noise_rate_interval
        covered.append(low <= rate <= high)
        single.append(mixture.fallback is not None)
    is_covered, is_single = np.array(covered), np.array(single)
    print(f"{name:16} {is_covered.mean():8.3f}")
    return {
        "drawn_from": name,
        "num_draws": num_draws,
        "num_losses": _NUM_SAMPLES,
        "covered": float(is_covered.mean()),
        "covered_where_two_groups_are_found": float(is_covered[~is_single].mean()),
        "covered_at_0": float(is_covered[:num_at_zero].mean()),
        "one_component_share": float(is_single.mean()),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", default="2000,50000,1000000,10000000", help="numbers of losses")
    parser.add_argument("--draws", type=int, default=400, help="of each model, for the coverage")
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
