"""What to do with far losses: drop them, clip them, or take their ratio to the median.

Four public sets of out-of-fold probabilities with human, class-dependent and sparse label noise,
and the first two of them with uniform noise of 0 to 80 % put on their true labels. For each way:
F1 of posterior > 0.5 against the truth, alone and where the prediction also differs from the given
label, ROC-AUC of the posterior, and the estimated noise rate. All ways but the published recipe are
fitted by maximum likelihood and have a monotone posterior: only the treatment of losses differs.

    python -m benchmarks.detection.mixture_outliers FOLDER_OF_OOF_FILES
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import ml
from benchmarks.harness import RESULTS, facts, keep
from benchmarks.quality import f1, roc_auc
from ml.mixture.em import BetaPair, run_em
from ml.mixture.fit import fit_mixture
from ml.mixture.model import BetaMixture
from ml.mixture.points import MedianRatio, Points, PublishedRange
from ml.mixture.robust import LINEAR_STARTS, RATIO_STARTS
from ml.types import BoolArray, FloatArray, IntArray

_SETS = (
    "oof_human9_resnet18",
    "oof_classdep20_resnet18",
    "oof_classdep20_resnet50",
    "oof_sparse40_resnet50",
)
_RATES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
_EDGE = 1e-4
_STARTS = (
    *RATIO_STARTS,
    *LINEAR_STARTS,
    BetaPair(np.array([1.0, 2.0]), np.array([2.0, 1.0]), np.array([0.5, 0.5])),
    BetaPair(np.array([20.0, 1.0]), np.array([1000.0, 2.0]), np.array([0.1, 0.9])),
)
"""Ours, the published one, and one for the spike of easy samples that some scales have."""


def main() -> None:
    """Print one table and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=RESULTS / "mixture-outliers.json")
    options = parser.parse_args()
    origin = facts(options)
    rows = [row for name in _SETS for row in measure_set(options.folder, name)]
    rows += [row for name in _SETS[:2] for row in measure_uniform(options.folder, name)]
    keep(origin | {"rows": rows}, options.out)
    print(f"{'set':40} {'way':10} {'true':>6} {'rate':>6} {'F1':>6} {'gated':>6} {'AUC':>6}")
    for row in rows:
        print(
            f"{row['set']:40} {row['way']:10} {row['true_rate']:6.3f} {row['noise_rate']:6.3f} "
            f"{row['f1']:6.3f} {row['f1_gated']:6.3f} {row['roc_auc'] or np.nan:6.3f}"
        )


def measure_set(folder: Path, name: str) -> list[dict[str, Any]]:
    """Return one row for each way, on the given labels of a file."""
    log_prob_NC, given_N, true_N = load(folder, name)
    return [measure(name, way, log_prob_NC, given_N, true_N) for way in WAYS]


def measure_uniform(folder: Path, name: str) -> list[dict[str, Any]]:
    """Return rows for uniform noise on the true labels of a file."""
    log_prob_NC, _, true_N = load(folder, name)
    rng = np.random.default_rng(0)
    rows = []
    for rate in _RATES:
        is_moved_N = rng.random(len(true_N)) < rate
        other_N = (true_N + rng.integers(1, 10, len(true_N))) % 10
        given_N = np.where(is_moved_N, other_N, true_N)
        title = f"{name} uniform {rate:.0%}"
        rows += [measure(title, way, log_prob_NC, given_N, true_N) for way in WAYS]
    return rows


def load(folder: Path, name: str) -> tuple[FloatArray, IntArray, IntArray]:
    """Return log-probabilities, given and true labels."""
    with np.load(folder / f"{name}.npz") as arrays:
        prob_NC = arrays["pred_probs"].astype(np.float64)
        given_N, true_N = (arrays[key].astype(np.int64) for key in ("given_label", "true_label"))
    prob_NC /= prob_NC.sum(axis=1, keepdims=True)
    return np.log(np.maximum(prob_NC, 1e-12)), given_N, true_N


def measure(
    title: str, way: str, log_prob_NC: FloatArray, given_N: IntArray, true_N: IntArray
) -> dict[str, Any]:
    """Fit one way and compare its flags with the truth."""
    loss_N = -log_prob_NC[np.arange(len(given_N)), given_N]
    is_wrong_N, differs_N = given_N != true_N, log_prob_NC.argmax(axis=1) != given_N
    mixture = WAYS[way](loss_N)
    posterior_N = mixture.posterior(loss_N)
    flagged_N = posterior_N > 0.5
    return {
        "set": title,
        "way": way,
        "true_rate": float(is_wrong_N.mean()),
        "noise_rate": mixture.noise_rate,
        "noise_rate_interval": mixture.noise_rate_interval,
        "fallback": mixture.fallback,
        "flagged": float(flagged_N.mean()),
        "f1": f1(flagged_N, is_wrong_N),
        "f1_gated": f1(flagged_N & differs_N, is_wrong_N),
        "f1_best_threshold_on_loss": best_f1(loss_N, is_wrong_N),
        "roc_auc": roc_auc(posterior_N, is_wrong_N),
    }


def drop(loss_N: FloatArray) -> ml.Mixture:
    """Fit only the losses between the 5th and the 95th percentile."""
    span = _percentiles(loss_N)
    is_kept_N = (loss_N >= span.min_loss) & (loss_N <= span.max_loss)
    return _fit(loss_N[is_kept_N], span)


def clip(loss_N: FloatArray) -> ml.Mixture:
    """Move losses outside the percentiles to the ends."""
    return _fit(loss_N, _percentiles(loss_N))


def ratio(loss_N: FloatArray) -> ml.Mixture:
    """Fit loss / (loss + median), without the test for one component."""
    return _fit(loss_N, MedianRatio(scale=float(np.median(loss_N))))


def _percentiles(loss_N: FloatArray) -> PublishedRange:
    low, high = np.percentile(loss_N, [5, 95])
    return PublishedRange(min_loss=float(low), max_loss=float(high))


def _fit(loss_N: FloatArray, normalisation: PublishedRange | MedianRatio) -> ml.Mixture:
    x_N = np.clip(normalisation.normalise(loss_N), _EDGE, 1.0 - _EDGE)
    points = Points(x_N, np.log(x_N), np.log1p(-x_N), np.ones_like(x_N))
    results = [run_em(points, start) for start in _STARTS]
    result = max(results, key=lambda result: result.end.log_likelihood).ordered()
    pair = result.end.pair
    return BetaMixture(
        **{name: tuple(getattr(pair, name).tolist()) for name in ("alpha", "beta", "weight")},
        p_two_groups=1.0,
        normalisation=normalisation,
        noise_rate=float(pair.weight[1]),
        noise_rate_interval=(0.0, 1.0),
        converged=result.converged,
        num_iterations=result.num_iterations,
        log_likelihood=result.end.log_likelihood,
        fallback=None,
        mode="robust",
    )


WAYS: dict[str, Callable[[FloatArray], ml.Mixture]] = {
    "published": lambda loss_N: fit_mixture(loss_N, mode="faithful"),
    "drop": drop,
    "clip": clip,
    "ratio": ratio,
    "robust": fit_mixture,
}
"""`robust` is the product's default: the ratio with its choice of scale and its one-group test."""


def best_f1(loss_N: FloatArray, is_wrong_N: BoolArray) -> float:
    """Return the F1 of the best threshold on the loss, which needs the truth to be known."""
    hits_N = np.cumsum(is_wrong_N[np.argsort(-loss_N)])
    return float((2.0 * hits_N / (np.arange(1, len(loss_N) + 1) + is_wrong_N.sum())).max())


if __name__ == "__main__":
    main()
