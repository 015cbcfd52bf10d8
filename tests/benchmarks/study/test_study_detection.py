import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from benchmarks.study.detection import f1, measure, posteriors, roc_auc, roc_curve


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_figures_agree_with_scikit_learn_also_with_ties(rng: np.random.Generator) -> None:
    is_wrong = rng.random(500) < 0.3
    scores = np.round(rng.normal(is_wrong * 1.0), 1)
    assert roc_auc(scores, is_wrong) == pytest.approx(roc_auc_score(is_wrong, scores), abs=1e-12)
    flags = scores > 0.5
    assert f1(flags, is_wrong) == pytest.approx(f1_score(is_wrong, flags), abs=1e-12)
    false_rate, true_rate = roc_curve(scores, is_wrong)
    area = np.trapezoid(true_rate, false_rate)
    assert area == pytest.approx(roc_auc_score(is_wrong, scores), abs=1e-12)
    assert (false_rate[0], true_rate[0], false_rate[-1], true_rate[-1]) == (0, 0, 1, 1)


def test_what_is_not_judged_ranks_last() -> None:
    is_wrong = np.array([True, False, False])
    assert roc_auc(np.array([np.nan, 0.0, 0.1]), is_wrong) == 0.0


def test_without_wrong_labels_only_the_share_flagged_is_known() -> None:
    none = np.zeros(4, dtype=bool)
    score = measure(np.arange(4.0), np.array([True, False, False, False]), none)
    assert score == {"roc_auc": None, "f1": None, "flagged": 0.25}
    assert roc_auc(np.arange(4.0), ~none) is None


def test_every_noise_model_finds_well_parted_losses(rng: np.random.Generator) -> None:
    losses = np.concatenate([rng.gamma(2, 0.1, 600), rng.normal(4, 0.5, 400)]).astype(np.float32)
    is_wrong = np.arange(1000) >= 600
    for name, scores in posteriors(losses):
        score = measure(scores, scores > 0.5, is_wrong)
        assert min(score["roc_auc"] or 0, score["f1"] or 0) > 0.9, name
