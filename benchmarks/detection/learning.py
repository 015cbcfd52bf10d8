"""What thirty decisions teach: probabilities, flags and intervals, against the truth.

    python -m benchmarks.detection.learning [--data ../shared/data] [--nums 30,100] [--draws 12]

Takes the sets of `benchmarks.detection.sets`. First the correction a + b logit p is fitted to all
labels of each set: the prior of `ml.detection.learning` is rounded from these fits, which are also
listed without each unit (CIFAR-10, Roman numerals, MNIST, 20 Newsgroups). Then simulated reviewers,
who know the truth, decide on the samples to look at first. F1 and calibration error (15 bins) are
over the samples whose truth is known; the interval of the noise rate is compared with that before.
Of verified sets the noise rate is only a lower bound, so an interval holds it unless it ends below.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_expit, logit

import ml
from benchmarks.detection.cases import CLEAN, Case, load_sets
from benchmarks.detection.sets import DATA
from benchmarks.harness import RESULTS, Result, facts, keep
from benchmarks.quality import calibration_error, f1, group_means, holds
from ml.detection.learning import MAX_P, MIN_P
from ml.types import BoolArray, FloatArray

_OUT = RESULTS / "learning.json"
_UNITS = {"verified_mnist": "MNIST", "20news": "20 Newsgroups", "roman": "Roman numerals"}


def main() -> None:
    """Fit the correction to each set, simulate reviewers, write the result."""
    options = _options()
    nums = [int(num) for num in options.nums.split(",")]
    origin = facts(options)
    fits, rows = [], []
    for case in load_sets(options.data):
        found = ml.detect(case.prob, case.given)
        if case.is_wrong.any():
            fits.append({"set": case.name, "unit": _unit(case.name)} | _fit(case, found))
        for num in nums:
            row = {"set": case.name, "group": case.group, "num": num} | measure(
                case, found, num=num, num_draws=options.draws
            )
            rows.append(row)
            print(json.dumps(row), flush=True)
    result = {
        **origin,
        "num_draws": options.draws,
        "fits": fits,
        "prior": {"all": _spread(fits)}
        | {
            f"without {unit}": _spread([fit for fit in fits if fit["unit"] != unit])
            for unit in sorted({fit["unit"] for fit in fits})
        },
        "rows": rows,
        "groups": {str(num): _groups(rows, num) for num in nums},
    }
    print(json.dumps({name: result[name] for name in ("prior", "groups")}, indent=1))
    keep(result, options.out)


def measure(case: Case, found: ml.Detection, *, num: int, num_draws: int) -> Result:
    """Return what so many decisions change, means over the draws, beside what was before."""
    p_N = found.p_mislabeled
    seen_N = case.is_checked if case.group != CLEAN else np.ones_like(case.is_checked)
    is_bound = not seen_N.all()
    before: Result = {
        "f1": f1(found.flagged[seen_N], case.is_wrong[seen_N]),
        "ece": calibration_error(p_N[seen_N], case.is_wrong[seen_N]),
        "interval": found.noise_rate_interval,
    }
    draws = [
        _draw(case, found, seen_N & ~np.isnan(p_N), num, np.random.default_rng(seed))
        for seed in range(num_draws)
    ]
    width = before["interval"][1] - before["interval"][0]
    truth = float(case.is_wrong.mean())
    intervals = np.array([draw["interval"] for draw in draws])
    return {
        "before": before,
        "truth": truth,
        "f1": float(np.mean([draw["f1"] for draw in draws])),
        "ece": float(np.mean([draw["ece"] for draw in draws])),
        "flagged": float(np.mean([draw["flagged"] for draw in draws])),
        "width_ratio": float((intervals[:, 1] - intervals[:, 0]).mean() / width),
        "held": float(
            np.mean([holds(each, max(truth, each[0]) if is_bound else truth) for each in intervals])
        ),
        "predictive_check": float(np.median([draw["check"] for draw in draws])),
        "interval": intervals.mean(axis=0).tolist(),
    }


def _draw(
    case: Case, found: ml.Detection, may_N: BoolArray, num: int, rng: np.random.Generator
) -> Result:
    """Let one reviewer decide on the samples to look at first."""
    p_N = found.p_mislabeled
    looks = ml.choose_first_look(p_N, found.spread, may_N, rng, num=num).index
    is_decided_N = np.zeros(len(p_N), dtype=np.bool_)
    is_decided_N[looks] = True
    fitted = ml.recalibrate(
        p_N, case.is_wrong, is_decided_N, noise_rate_interval=found.noise_rate_interval
    )
    new_N = np.where(np.isnan(p_N), p_N, fitted.apply(p_N))
    left = fitted.count_wrong(p_N[~is_decided_N & ~np.isnan(p_N)])
    flagged_N = ml.worth_a_look(new_N)
    return {
        "f1": f1(flagged_N[may_N], case.is_wrong[may_N]),
        "ece": calibration_error(new_N[may_N], case.is_wrong[may_N]),
        "flagged": float(flagged_N.mean()),
        "interval": (
            (left.low + fitted.num_wrong) / len(p_N),
            (left.high + fitted.num_wrong) / len(p_N),
        ),
        "check": ml.predictive_check(fitted, p_N[looks], case.is_wrong[looks]),
    }


def _fit(case: Case, found: ml.Detection) -> Result:
    """Return the correction that explains all known labels of a set best."""
    seen_N = case.is_checked & ~np.isnan(found.p_mislabeled)
    odds_M = logit(np.clip(found.p_mislabeled[seen_N], MIN_P, MAX_P))
    sign_M = np.where(case.is_wrong[seen_N], 1.0, -1.0)

    def loss(parameters: FloatArray) -> float:
        return -float(log_expit(sign_M * (parameters[0] + parameters[1] * odds_M)).mean())

    offset, slope = minimize(loss, np.array([0.0, 1.0])).x.tolist()
    return {"offset": offset, "slope": slope}


def _spread(fits: list[Result]) -> Result:
    """Return what a prior is rounded from; the offset has no direction."""
    offset_S = np.array([fit["offset"] for fit in fits])
    slope_S = np.array([fit["slope"] for fit in fits])
    return {
        "offset_deviation": float(np.sqrt((offset_S**2).mean())),
        "mean_slope": float(slope_S.mean()),
        "slope_deviation": float(slope_S.std()),
    }


def _groups(rows: list[Result], num: int) -> Result:
    chosen = [row for row in rows if row["num"] == num and row["group"] != CLEAN]
    names = ("f1", "ece", "width_ratio", "held")
    return {name: group_means((row["group"], row[name]) for row in chosen) for name in names}


def _unit(name: str) -> str:
    return next((unit for part, unit in _UNITS.items() if part in name), "CIFAR-10")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--nums", default="30,100")
    parser.add_argument("--draws", type=int, default=12)
    parser.add_argument("--out", type=Path, default=_OUT)
    return parser.parse_args()


if __name__ == "__main__":
    main()
