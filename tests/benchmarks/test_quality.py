import numpy as np
import pytest

from benchmarks.quality import (
    UNINFORMED,
    calibration_error,
    f1,
    group_means,
    holds,
    roc_auc,
    winkler_score,
)


class TestWinklerScore:
    def test_is_the_width_where_the_interval_holds_the_truth(self) -> None:
        assert winkler_score((0.1, 0.3), 0.3) == pytest.approx(0.2)

    @pytest.mark.parametrize("truth", [0.08, 0.32])
    def test_adds_forty_times_the_miss_on_either_side(self, truth: float) -> None:
        assert winkler_score((0.1, 0.3), truth) == pytest.approx(0.2 + 40 * 0.02)

    def test_of_knowing_nothing_is_one_half(self) -> None:
        assert winkler_score(UNINFORMED, 0.13) == 0.5


def test_an_interval_holds_its_ends() -> None:
    assert holds((0.1, 0.3), 0.1)
    assert holds((0.1, 0.3), 0.3)
    assert holds((0.1, 1.0 - 1e-10), 1.0)
    assert not holds((0.1, 0.3), 0.301)


class TestCalibrationError:
    def test_weighs_the_gap_of_each_bin_by_its_samples(self) -> None:
        p = np.array([0.1] * 10 + [0.9] * 30)
        is_wrong = np.array([True] * 2 + [False] * 8 + [True] * 30)
        assert calibration_error(p, is_wrong) == pytest.approx((10 * 0.1 + 30 * 0.1) / 40)

    def test_has_fifteen_bins_and_the_last_holds_one(self) -> None:
        p = np.array([13.5 / 15, 14.5 / 15, 1.0])
        assert calibration_error(p, np.array([True, False, True])) == pytest.approx(
            (1.5 / 15 + 14.5 / 15) / 3
        )

    def test_leaves_out_what_was_not_judged(self) -> None:
        assert calibration_error(np.array([0.5, np.nan]), np.array([True, True])) == 0.5


class TestGroupMeans:
    def test_each_group_counts_once_however_many_sets_it_has(self) -> None:
        found = group_means([("worst", 0.9), ("roman", 0.3), ("roman", 0.5)])
        assert found == pytest.approx({"worst": 0.9, "roman": 0.4, "mean": 0.65})

    def test_a_set_without_a_value_does_not_count(self) -> None:
        assert group_means([("roman", 0.3), ("roman", None), ("clean", None)]) == pytest.approx(
            {"roman": 0.3, "mean": 0.3}
        )


class TestDetectionFigures:
    def test_f1_is_the_harmonic_mean_of_precision_and_recall(self) -> None:
        flagged = np.array([True, True, False, False])
        is_wrong = np.array([True, False, True, True])
        assert f1(flagged, is_wrong) == pytest.approx(2 * 0.5 * (1 / 3) / (0.5 + 1 / 3))

    def test_nothing_flagged_where_nothing_is_wrong_is_perfect(self) -> None:
        assert f1(np.zeros(3, dtype=np.bool_), np.zeros(3, dtype=np.bool_)) == 1.0

    def test_ties_count_half(self) -> None:
        score, is_wrong = np.array([0.5, 0.5, 0.1]), np.array([True, False, False])
        assert roc_auc(score, is_wrong) == pytest.approx(0.75)

    def test_of_one_kind_alone_there_is_no_curve(self) -> None:
        assert roc_auc(np.array([0.5, 0.1]), np.array([True, True])) is None
