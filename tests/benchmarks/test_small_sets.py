import numpy as np
import pytest

from benchmarks.detection.cases import draw_digits, out_of_fold
from benchmarks.detection.small_sets import coverage
from ml.noise import UniformOthersNoise


class TestCoverage:
    def test_counts_what_holds_and_on_which_side_the_truth_is_missed(self) -> None:
        assert coverage(
            [((0.1, 0.3), 0.2), ((0.1, 0.3), 0.05), ((0.1, 0.3), 0.3), ((0.1, 0.5), 0.6)]
        ) == pytest.approx({"holds": 0.5, "truth_below": 0.25, "truth_above": 0.25, "width": 0.25})

    def test_without_flags_anything_between_none_and_all_is_right(self) -> None:
        found = coverage([((0.0, 1.0), None), ((0.0, 0.2), 0.5)])
        assert found is not None
        assert found["holds"] == 0.5

    def test_without_a_truth_there_is_no_coverage(self) -> None:
        assert coverage([((0.1, 0.3), None)]) is None


def test_drawn_digits_have_as_many_of_each_class_and_predictions_of_every_class() -> None:
    rng = np.random.default_rng(0)
    digits = draw_digits(61, 3, UniformOthersNoise(0.1), rng)
    true = np.where(digits.is_wrong, -1, digits.given)
    assert len(digits.pixels) == len(true) == 61
    assert 0 < digits.is_wrong.sum() < 20
    prob = out_of_fold(digits.pixels, digits.given)
    assert prob.shape == (61, 3)
    assert prob.sum(axis=1) == pytest.approx(1.0)
    assert (prob.argmax(axis=1) == true)[true >= 0].mean() > 0.7
