"""Whether what `ml.detect` states of small sets is true, for `benchmarks.detection.sets`.

Digits of two to ten classes, a tenth of the labels wrong: evenly, or each class taken for the next.
Predictions are a logistic regression's, out of fold, or those of one that was fitted to the same
samples with a strong penalty. Samples of one draw are not independent of those of another, for all
come from 1,797 digits.
"""

from collections.abc import Callable, Sequence
from itertools import product
from statistics import fmean
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

import ml
from benchmarks.detection.cases import draw_digits, out_of_fold
from benchmarks.detection.ways import flags_of
from benchmarks.quality import Interval, f1, holds
from ml.detection.verdict import UNKNOWN
from ml.noise import AsymmetricNoise, UniformOthersNoise
from ml.types import BoolArray, FloatArray, IntArray

Result = dict[str, Any]

SIZES = (60, 100, 250, 400, 1000)
NOISES = {"even": UniformOthersNoise(0.1), "pairs": AsymmetricNoise(0.1)}
MOST_CLASSES = 10
LARGEST_CLASS = 174
"""As many digits there are of every class."""
STATED = ("rate", "precision", "recall")
_STRONG = 0.01
"""Inverse penalty C of the regression that sees the labels which it judges."""


def in_sample(pixels: FloatArray, label: IntArray) -> FloatArray:
    """Return what a strongly held-back logistic regression predicts of what it was fitted to."""
    model = LogisticRegression(C=_STRONG, max_iter=1000).fit(pixels, label)
    found: FloatArray = model.predict_proba(pixels)
    return found


PREDICTIONS: dict[str, Callable[[FloatArray, IntArray], FloatArray]] = {
    "out of fold": out_of_fold,
    "in sample": in_sample,
}


def measure(num_draws: int) -> list[Result]:
    """Return a row for every kind of prediction and size, and one for all sizes.

    Args:
        num_draws: How many of each size and noise.
    """
    draws = [
        draw
        for size, noise, number in product(SIZES, NOISES, range(num_draws))
        for draw in measure_draw(size, noise, number)
    ]
    rows = []
    for prediction, size in product(PREDICTIONS, (*SIZES, None)):
        chosen = [
            draw
            for draw in draws
            if draw["prediction"] == prediction and size in {draw["size"], None}
        ]
        rows.append({"prediction": prediction, "size": size} | summary(chosen))
    return rows


def measure_draw(size: int, noise: str, number: int) -> list[Result]:
    """Return what is stated and true of one draw, by both kinds of predictions."""
    fewest = max(2, -(-size // LARGEST_CLASS))
    num_classes = fewest + number % (MOST_CLASSES - fewest + 1)
    rng = np.random.default_rng([size, list(NOISES).index(noise), number])
    digits = draw_digits(size, num_classes, NOISES[noise], rng)
    origin = {"size": size, "noise": noise, "num_classes": num_classes}
    return [
        origin | {"prediction": name} | judge(predict(digits.pixels, digits.given), *digits[1:])
        for name, predict in PREDICTIONS.items()
    ]


def judge(prob_NC: FloatArray, given_N: IntArray, is_wrong_N: BoolArray) -> Result:
    """Return stated intervals, the truth and F1 of one draw; None where there is no truth."""
    found = ml.detect(prob_NC, given_N)
    flags = flags_of(prob_NC, given_N, found.flagged)
    return {
        "rate": (found.noise_rate_interval, float(is_wrong_N.mean())),
        "precision": (found.expected_precision_interval, _mean(is_wrong_N[found.flagged])),
        "recall": (found.expected_recall_interval, _mean(found.flagged[is_wrong_N])),
        "f1": {way: f1(flagged_N, is_wrong_N) for way, flagged_N in flags.items()},
        "flags_none": not found.flagged.any(),
        "fallback": found.fallback is not None,
    }


def summary(draws: Sequence[Result]) -> Result:
    """Return how often intervals hold the truth and how wide they are, and the mean F1.

    Where nothing is flagged precision and recall are stated as anything between 0 and 1: that
    counts as held, but `flagged_only` is about the other draws.
    """
    flagged = [draw for draw in draws if not draw["flags_none"]]
    return {
        "num_draws": len(draws),
        "flags_none": fmean(draw["flags_none"] for draw in draws),
        "fallback": fmean(draw["fallback"] for draw in draws),
        "stated": {name: coverage([draw[name] for draw in draws]) for name in STATED},
        "flagged_only": {name: coverage([draw[name] for draw in flagged]) for name in STATED},
        "f1": {way: fmean(draw["f1"][way] for draw in draws) for way in draws[0]["f1"]},
    }


def coverage(stated: Sequence[tuple[Interval, float | None]]) -> Result | None:
    """Return the share of intervals that hold the truth, on which side the others miss, and widths.

    An interval without a truth beside it holds if it is from 0 to 1, and else does not count.
    """
    known = [
        (interval, 0.0 if truth is None else truth)
        for interval, truth in stated
        if truth is not None or interval == UNKNOWN
    ]
    if not known:
        return None
    return {
        "holds": fmean(holds(interval, truth) for interval, truth in known),
        "truth_below": fmean(not holds((low, 1.0), truth) for (low, _), truth in known),
        "truth_above": fmean(not holds((0.0, high), truth) for (_, high), truth in known),
        "width": fmean(high - low for (low, high), _ in known),
    }


def _mean(values: BoolArray) -> float | None:
    return float(values.mean()) if len(values) else None
