"""How even a noise matrix is."""

import numpy as np
import pytest

from ml.detection.transition import distance_from_even, even_noise

EQUAL_C = np.full(4, 0.25)


def test_even_noise_is_even_whatever_its_rate_and_the_classes_sizes() -> None:
    share_C = np.array([0.7, 0.1, 0.1, 0.1])
    for noise in (0.01, 0.6):
        assert distance_from_even(even_noise(4, noise), share_C) == pytest.approx(0.0)


def test_noise_between_pairs_is_far_from_it() -> None:
    pairs_CC = 0.7 * np.eye(4) + 0.3 * np.eye(4)[[1, 0, 3, 2]]
    assert distance_from_even(pairs_CC, EQUAL_C) == pytest.approx(2 / 3)


def test_so_is_noise_of_one_class_also_where_there_are_only_two() -> None:
    one_sided_CC = np.array([[0.6, 0.4], [0.0, 1.0]])
    assert distance_from_even(one_sided_CC, np.array([0.5, 0.5])) == pytest.approx(0.5)


def test_without_noise_there_is_no_distance() -> None:
    assert distance_from_even(np.eye(4), EQUAL_C) == 0.0
